DROP INDEX invoices_issued_idx ON invoices;

DROP INDEX records_title_idx ON records;

ALTER TABLE invoices DROP COLUMN total_cents;

ALTER TABLE records DROP COLUMN title;

ALTER TABLE users DROP COLUMN display_name;

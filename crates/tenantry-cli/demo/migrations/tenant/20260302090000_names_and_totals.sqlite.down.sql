DROP INDEX invoices_issued_idx;

DROP INDEX records_title_idx;

ALTER TABLE invoices DROP COLUMN total_cents;

ALTER TABLE records DROP COLUMN title;

ALTER TABLE users DROP COLUMN display_name;

-- Lists sort by names and amounts that so far had to be worked out for every row: keep them in columns.
ALTER TABLE users ADD COLUMN display_name VARCHAR(260);

ALTER TABLE records ADD COLUMN title VARCHAR(200);

ALTER TABLE invoices ADD COLUMN total_cents BIGINT NOT NULL DEFAULT 0;

UPDATE users SET display_name = CONCAT(first_name, ' ', last_name);

UPDATE records SET title = LEFT(JSON_UNQUOTE(JSON_EXTRACT(data, '$.name')), 200);

UPDATE invoices
SET total_cents = (
    SELECT COALESCE(SUM(quantity * unit_cents), 0)
    FROM invoice_lines
    WHERE invoice_lines.invoice_id = invoices.id
);

CREATE INDEX records_title_idx ON records (title);

CREATE INDEX invoices_issued_idx ON invoices (issued_on, total_cents);

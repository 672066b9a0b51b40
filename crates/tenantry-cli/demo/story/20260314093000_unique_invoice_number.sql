-- An invoice's number is given out once. From now on the database sees to it,
-- and a table says how many there are of each series (the part before the last four digits).
CREATE TABLE invoice_series (
    series VARCHAR(40) NOT NULL PRIMARY KEY,
    invoice_count BIGINT NOT NULL
);

CREATE UNIQUE INDEX invoices_number_key ON invoices (number);

INSERT INTO invoice_series (series, invoice_count)
SELECT SUBSTR(number, 1, LENGTH(number) - 4), COUNT(*)
FROM invoices
GROUP BY SUBSTR(number, 1, LENGTH(number) - 4);

DROP INDEX invoices_number_key ON invoices;

DROP TABLE invoice_series;

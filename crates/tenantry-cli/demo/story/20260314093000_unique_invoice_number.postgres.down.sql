DROP INDEX invoices_number_key;

DROP TABLE invoice_series;

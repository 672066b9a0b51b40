-- Makes one tenant's data bad, before the migration arrives: two invoices that bear the same number.
INSERT INTO invoices (id, number, customer, currency, status, issued_on, total_cents) VALUES
    (7001, 'INV-2026-0107', 'Harbour Bakery', 'GBP', 'sent', '2026-03-02', 48000),
    (7002, 'INV-2026-0107', 'Northgate Cycles', 'GBP', 'sent', '2026-03-02', 125000);

-- Mends that tenant's data: the first of the two invoices keeps its number, the second gets the next free one.
UPDATE invoices
SET number = 'INV-2026-0108'
WHERE id = 7002 AND number = 'INV-2026-0107';

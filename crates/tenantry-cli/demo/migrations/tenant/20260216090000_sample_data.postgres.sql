-- A new tenant is not shown an empty page: 20 users with a role each, 120 records, 40 invoices of two lines.
-- Sample users have addresses in `sample.example`, sample invoices have ids from 900001.
INSERT INTO users (email, first_name, last_name)
SELECT lower(first_name || '.' || last_name) || '@sample.example', first_name, last_name
FROM (
    SELECT
        i,
        (ARRAY['Ada', 'Ben', 'Chiara', 'Dmitri', 'Esi'])[i % 5 + 1] AS first_name,
        (ARRAY['Keller', 'Lindqvist', 'Moreau', 'Novak'])[i % 4 + 1] AS last_name
    FROM generate_series(0, 19) AS i
) AS people
ORDER BY i;

INSERT INTO user_roles (user_id, role_code)
SELECT id, CASE id % 4 WHEN 0 THEN 'owner' WHEN 1 THEN 'editor' ELSE 'reader' END
FROM users
WHERE email LIKE '%@sample.example';

INSERT INTO records (object_name, owner_id, data)
SELECT
    (ARRAY['company', 'contact', 'deal', 'task'])[i % 4 + 1],
    (SELECT min(id) FROM users WHERE email LIKE '%@sample.example') + i % 20,
    jsonb_build_object('name', 'Sample ' || i, 'amount', i * 125, 'tags', jsonb_build_array('sample', 't' || (i % 7)))
FROM generate_series(1, 120) AS i;

INSERT INTO invoices (id, number, customer, currency, status, issued_on)
SELECT
    900000 + i,
    'SAMPLE-' || lpad(i::text, 4, '0'),
    'Customer ' || (i % 9 + 1),
    'EUR',
    CASE i % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'sent' ELSE 'draft' END,
    DATE '2026-01-01' + i
FROM generate_series(1, 40) AS i;

INSERT INTO invoice_lines (invoice_id, line, description, quantity, unit_cents)
SELECT 900000 + i, line, E'Work; line\t' || line, i % 5 + line, 2500 * line
FROM generate_series(1, 40) AS i
CROSS JOIN generate_series(1, 2) AS line;

-- A new tenant is not shown an empty page: 20 users with a role each, 120 records, 40 invoices of two lines.
-- Sample users have addresses in `sample.example`, sample invoices have ids from 900001.
WITH RECURSIVE counter (i) AS (
    SELECT 0 UNION ALL SELECT i + 1 FROM counter WHERE i < 19
), people AS (
    SELECT
        i,
        json_extract('["Ada", "Ben", "Chiara", "Dmitri", "Esi"]', '$[' || (i % 5) || ']') AS first_name,
        json_extract('["Keller", "Lindqvist", "Moreau", "Novak"]', '$[' || (i % 4) || ']') AS last_name
    FROM counter
)
INSERT INTO users (email, first_name, last_name)
SELECT lower(first_name || '.' || last_name) || '@sample.example', first_name, last_name
FROM people
ORDER BY i;

INSERT INTO user_roles (user_id, role_code)
SELECT id, CASE id % 4 WHEN 0 THEN 'owner' WHEN 1 THEN 'editor' ELSE 'reader' END
FROM users
WHERE email LIKE '%@sample.example';

WITH RECURSIVE counter (i) AS (
    SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 120
)
INSERT INTO records (object_name, owner_id, data)
SELECT
    json_extract('["company", "contact", "deal", "task"]', '$[' || (i % 4) || ']'),
    (SELECT min(id) FROM users WHERE email LIKE '%@sample.example') + i % 20,
    json_object('name', 'Sample ' || i, 'amount', i * 125, 'tags', json_array('sample', 't' || (i % 7)))
FROM counter;

WITH RECURSIVE counter (i) AS (
    SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 40
)
INSERT INTO invoices (id, number, customer, currency, status, issued_on)
SELECT
    900000 + i,
    printf('SAMPLE-%04d', i),
    'Customer ' || (i % 9 + 1),
    'EUR',
    CASE i % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'sent' ELSE 'draft' END,
    date('2026-01-01', '+' || i || ' days')
FROM counter;

WITH RECURSIVE counter (i) AS (
    SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 40
)
INSERT INTO invoice_lines (invoice_id, line, description, quantity, unit_cents)
SELECT 900000 + i, line, 'Work; line' || char(9) || line, i % 5 + line, 2500 * line
FROM counter
CROSS JOIN (SELECT 1 AS line UNION ALL SELECT 2);

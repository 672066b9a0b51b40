-- A new tenant is not shown an empty page: 20 users with a role each, 120 records, 40 invoices of two lines.
-- Sample users have addresses in `sample.example`, sample invoices have ids from 900001.
INSERT INTO users (email, first_name, last_name)
WITH RECURSIVE counter (i) AS (
    SELECT 0 UNION ALL SELECT i + 1 FROM counter WHERE i < 19
), people AS (
    SELECT
        i,
        ELT(i % 5 + 1, 'Ada', 'Ben', 'Chiara', 'Dmitri', 'Esi') AS first_name,
        ELT(i % 4 + 1, 'Keller', 'Lindqvist', 'Moreau', 'Novak') AS last_name
    FROM counter
)
SELECT CONCAT(LOWER(CONCAT(first_name, '.', last_name)), '@sample.example'), first_name, last_name
FROM people
ORDER BY i;

INSERT INTO user_roles (user_id, role_code)
SELECT id, CASE id % 4 WHEN 0 THEN 'owner' WHEN 1 THEN 'editor' ELSE 'reader' END
FROM users
WHERE email LIKE '%@sample.example';

INSERT INTO records (object_name, owner_id, data)
WITH RECURSIVE counter (i) AS (
    SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 120
)
SELECT
    ELT(i % 4 + 1, 'company', 'contact', 'deal', 'task'),
    (SELECT MIN(id) FROM users WHERE email LIKE '%@sample.example') + i % 20,
    JSON_OBJECT('name', CONCAT('Sample ', i), 'amount', i * 125, 'tags', JSON_ARRAY('sample', CONCAT('t', i % 7)))
FROM counter;

INSERT INTO invoices (id, number, customer, currency, status, issued_on)
WITH RECURSIVE counter (i) AS (
    SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 40
)
SELECT
    900000 + i,
    CONCAT('SAMPLE-', LPAD(i, 4, '0')),
    CONCAT('Customer ', i % 9 + 1),
    'EUR',
    CASE i % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'sent' ELSE 'draft' END,
    DATE '2026-01-01' + INTERVAL i DAY
FROM counter;

INSERT INTO invoice_lines (invoice_id, line, description, quantity, unit_cents)
WITH RECURSIVE counter (i) AS (
    SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 40
)
SELECT 900000 + i, line, CONCAT('Work; line\t', line), i % 5 + line, 2500 * line
FROM counter
CROSS JOIN (SELECT 1 AS line UNION ALL SELECT 2) AS two;

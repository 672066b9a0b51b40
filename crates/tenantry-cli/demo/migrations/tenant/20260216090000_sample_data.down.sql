-- Takes away what was made here, and the audit rows about it, which the grants and these revocations left.
DELETE FROM invoice_lines WHERE invoice_id BETWEEN 900001 AND 900040;

DELETE FROM invoices WHERE id BETWEEN 900001 AND 900040;

DELETE FROM records
WHERE owner_id IN (SELECT id FROM users WHERE email LIKE '%@sample.example');

DELETE FROM user_roles
WHERE user_id IN (SELECT id FROM users WHERE email LIKE '%@sample.example');

DELETE FROM audit_log
WHERE user_id IN (SELECT id FROM users WHERE email LIKE '%@sample.example');

DELETE FROM users WHERE email LIKE '%@sample.example';

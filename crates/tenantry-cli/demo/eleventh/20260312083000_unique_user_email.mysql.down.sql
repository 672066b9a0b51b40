DROP TABLE email_changes;

DROP INDEX users_email_key ON users;

ALTER TABLE users DROP COLUMN email_key;

DROP TRIGGER user_roles_granted;

DROP TRIGGER user_roles_revoked;

DROP TABLE audit_log;

DROP TRIGGER user_roles_audit ON user_roles;

DROP FUNCTION audit_user_role();

DROP TABLE audit_log;

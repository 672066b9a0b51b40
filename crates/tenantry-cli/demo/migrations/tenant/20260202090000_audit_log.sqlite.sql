-- Every grant and every revocation of a role leaves a row. No foreign key: a row outlives the user it is about.
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY,
    action TEXT NOT NULL,
    user_id INTEGER,
    detail TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(detail)),
    happened_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE INDEX audit_log_user_idx ON audit_log (user_id, happened_at);

CREATE TRIGGER user_roles_granted AFTER INSERT ON user_roles
BEGIN
    INSERT INTO audit_log (action, user_id, detail)
    VALUES ('role.granted', NEW.user_id, json_object('role', NEW.role_code));
END;

CREATE TRIGGER user_roles_revoked AFTER DELETE ON user_roles
BEGIN
    INSERT INTO audit_log (action, user_id, detail)
    VALUES ('role.revoked', OLD.user_id, json_object('role', OLD.role_code));
END;

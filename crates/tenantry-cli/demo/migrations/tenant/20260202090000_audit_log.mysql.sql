-- Every grant and every revocation of a role leaves a row. No foreign key: a row outlives the user it is about.
CREATE TABLE audit_log (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    action VARCHAR(64) NOT NULL,
    user_id BIGINT,
    detail JSON NOT NULL DEFAULT (JSON_OBJECT()),
    happened_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB;

CREATE INDEX audit_log_user_idx ON audit_log (user_id, happened_at);

CREATE TRIGGER user_roles_granted AFTER INSERT ON user_roles
FOR EACH ROW
BEGIN
    INSERT INTO audit_log (action, user_id, detail)
    VALUES ('role.granted', NEW.user_id, JSON_OBJECT('role', NEW.role_code));
END;

CREATE TRIGGER user_roles_revoked AFTER DELETE ON user_roles
FOR EACH ROW
BEGIN
    INSERT INTO audit_log (action, user_id, detail)
    VALUES ('role.revoked', OLD.user_id, JSON_OBJECT('role', OLD.role_code));
END;

-- Who may do what: a user has roles, a role has permissions.
CREATE TABLE roles (
    code VARCHAR(40) NOT NULL PRIMARY KEY,
    name VARCHAR(120) NOT NULL,
    description VARCHAR(400) NOT NULL DEFAULT '',
    is_builtin BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE permissions (
    code VARCHAR(64) NOT NULL PRIMARY KEY,
    description VARCHAR(400) NOT NULL
);

CREATE TABLE role_permissions (
    role_code VARCHAR(40) NOT NULL,
    permission_code VARCHAR(64) NOT NULL,
    PRIMARY KEY (role_code, permission_code),
    CONSTRAINT role_permissions_role_fk FOREIGN KEY (role_code) REFERENCES roles (code) ON DELETE CASCADE,
    CONSTRAINT role_permissions_permission_fk FOREIGN KEY (permission_code) REFERENCES permissions (code) ON DELETE CASCADE
);

CREATE TABLE user_roles (
    user_id BIGINT NOT NULL,
    role_code VARCHAR(40) NOT NULL,
    granted_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (user_id, role_code),
    CONSTRAINT user_roles_user_fk FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_roles_role_fk FOREIGN KEY (role_code) REFERENCES roles (code)
);

INSERT INTO roles (code, name, description, is_builtin) VALUES
    ('owner', 'Owner', 'May do everything; a tenant''s first user is one', TRUE),
    ('editor', 'Editor', 'Works with records and invoices', TRUE),
    ('reader', 'Reader', 'Looks; changes nothing', TRUE);

INSERT INTO permissions (code, description) VALUES
    ('records.read', 'See records'),
    ('records.write', 'Make, change and delete records'),
    ('invoices.read', 'See invoices'),
    ('invoices.write', 'Make and change invoices'),
    ('schema.write', 'Define objects, fields and layouts'),
    ('users.write', 'Invite users; grant and revoke roles');

-- The owner gets all of it, the editor all data, the reader what ends in `.read`.
INSERT INTO role_permissions (role_code, permission_code)
SELECT roles.code, permissions.code
FROM roles
CROSS JOIN permissions
WHERE roles.code = 'owner'
    OR (roles.code = 'editor' AND permissions.code NOT IN ('schema.write', 'users.write'))
    OR (roles.code = 'reader' AND permissions.code LIKE '%.read');

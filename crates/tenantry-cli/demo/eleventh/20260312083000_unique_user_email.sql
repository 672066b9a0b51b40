-- One user per address, whatever its case. `email_key` is what is compared, `email` stays as it was typed.
ALTER TABLE users ADD COLUMN email_key VARCHAR(320);

UPDATE users SET email_key = LOWER(email);

CREATE UNIQUE INDEX users_email_key ON users (email_key);

CREATE TABLE email_changes (
    user_id BIGINT NOT NULL,
    changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    old_email VARCHAR(320) NOT NULL,
    new_email VARCHAR(320) NOT NULL,
    PRIMARY KEY (user_id, changed_at),
    CONSTRAINT email_changes_user_fk FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

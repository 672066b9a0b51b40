-- A dashboard is a page of widgets. Every tenant starts with one.
CREATE TABLE dashboards (
    code VARCHAR(64) NOT NULL PRIMARY KEY,
    title VARCHAR(200) NOT NULL,
    is_shared BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

INSERT INTO dashboards (code, title, is_shared) VALUES ('overview', 'The week''s overview', TRUE);

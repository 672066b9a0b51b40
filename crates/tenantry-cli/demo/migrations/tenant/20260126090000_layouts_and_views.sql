-- How a record is shown (layout) and which records a list shows (view).
CREATE TABLE layouts (
    object_name VARCHAR(64) NOT NULL,
    name VARCHAR(120) NOT NULL,
    body TEXT NOT NULL,
    is_default BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (object_name, name),
    CONSTRAINT layouts_object_fk FOREIGN KEY (object_name) REFERENCES object_definitions (api_name) ON DELETE CASCADE
);

CREATE TABLE list_views (
    object_name VARCHAR(64) NOT NULL,
    name VARCHAR(120) NOT NULL,
    filter TEXT NOT NULL,
    owner_id BIGINT,
    PRIMARY KEY (object_name, name),
    CONSTRAINT list_views_object_fk FOREIGN KEY (object_name) REFERENCES object_definitions (api_name) ON DELETE CASCADE,
    CONSTRAINT list_views_owner_fk FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE
);

INSERT INTO layouts (object_name, name, body, is_default)
SELECT api_name, 'Standard', '{"sections": [{"title": "Details", "fields": ["name"]}]}', TRUE
FROM object_definitions;

INSERT INTO list_views (object_name, name, filter)
SELECT api_name, 'All', '{}'
FROM object_definitions;

-- The tenant's data. One table for all kinds; the fields of a record are one JSON object.
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    object_name VARCHAR(64) NOT NULL REFERENCES object_definitions (api_name),
    owner_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data) AND json_type(data) = 'object'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE INDEX records_object_idx ON records (object_name, created_at);

CREATE TRIGGER records_guard BEFORE UPDATE OF object_name ON records
BEGIN
    SELECT CASE
        WHEN NEW.object_name <> OLD.object_name
        THEN RAISE(ABORT, 'a record keeps its kind; make a new one')
    END;
END;

CREATE TRIGGER records_touch AFTER UPDATE ON records
WHEN NEW.updated_at = OLD.updated_at
BEGIN
    UPDATE records
    SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    WHERE id = NEW.id;
END;

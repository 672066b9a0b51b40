-- What kinds of record there are. A tenant may add its own.
CREATE TABLE object_definitions (
    api_name VARCHAR(64) NOT NULL PRIMARY KEY,
    label VARCHAR(120) NOT NULL,
    plural_label VARCHAR(120) NOT NULL,
    is_custom BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT object_definitions_name_check CHECK (api_name = LOWER(api_name))
);

INSERT INTO object_definitions (api_name, label, plural_label, is_custom) VALUES
    ('company', 'Company', 'Companies', FALSE),
    ('contact', 'Contact', 'Contacts', FALSE),
    ('deal', 'Deal', 'Deals', FALSE),
    ('task', 'Task', 'Tasks', FALSE);

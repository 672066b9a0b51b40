-- Which fields a kind of record has. Their values are in `records.data`, by `api_name`.
CREATE TABLE field_definitions (
    object_name VARCHAR(64) NOT NULL,
    api_name VARCHAR(64) NOT NULL,
    label VARCHAR(120) NOT NULL,
    data_type VARCHAR(16) NOT NULL,
    is_required BOOLEAN NOT NULL DEFAULT FALSE,
    sort_order INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (object_name, api_name),
    CONSTRAINT field_definitions_object_fk FOREIGN KEY (object_name) REFERENCES object_definitions (api_name) ON DELETE CASCADE,
    CONSTRAINT field_definitions_type_check CHECK (data_type IN ('text', 'number', 'date', 'boolean', 'reference'))
);

INSERT INTO field_definitions (object_name, api_name, label, data_type, is_required, sort_order) VALUES
    ('company', 'name', 'Name', 'text', TRUE, 1),
    ('company', 'city', 'City', 'text', FALSE, 2),
    ('company', 'employees', 'Employees', 'number', FALSE, 3),
    ('contact', 'name', 'Full name', 'text', TRUE, 1),
    ('contact', 'company', 'Company', 'reference', FALSE, 2),
    ('deal', 'name', 'Name', 'text', TRUE, 1),
    ('deal', 'amount', 'Amount', 'number', FALSE, 2),
    ('deal', 'closes_on', 'Closes on', 'date', FALSE, 3),
    ('task', 'name', 'What to do', 'text', TRUE, 1),
    ('task', 'done', 'Done?', 'boolean', FALSE, 2);

-- What a dashboard shows, and how. The settings of a widget are its own affair, hence JSON.
CREATE TABLE widgets (
    id INTEGER PRIMARY KEY,
    dashboard_code VARCHAR(64) NOT NULL REFERENCES dashboards (code) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('number', 'line', 'table')),
    settings TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    sort_order INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX widgets_dashboard_idx ON widgets (dashboard_code, sort_order);

INSERT INTO widgets (dashboard_code, kind, settings, sort_order) VALUES
    ('overview', 'number', '{"of": "deals", "text": "open; not won"}', 1),
    ('overview', 'line', '{"of": "invoices", "by": "week"}', 2);

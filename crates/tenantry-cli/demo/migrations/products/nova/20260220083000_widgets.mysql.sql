-- What a dashboard shows, and how. The settings of a widget are its own affair, hence JSON.
CREATE TABLE widgets (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    dashboard_code VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    settings JSON NOT NULL DEFAULT (JSON_OBJECT()),
    sort_order INTEGER NOT NULL DEFAULT 0,
    KEY widgets_dashboard_idx (dashboard_code, sort_order),
    CONSTRAINT widgets_kind_check CHECK (kind IN ('number', 'line', 'table')),
    CONSTRAINT widgets_dashboard_fk FOREIGN KEY (dashboard_code) REFERENCES dashboards (code) ON DELETE CASCADE
) ENGINE = InnoDB;

INSERT INTO widgets (dashboard_code, kind, settings, sort_order) VALUES
    ('overview', 'number', '{"of": "deals", "text": "open; not won"}', 1),
    ('overview', 'line', '{"of": "invoices", "by": "week"}', 2);

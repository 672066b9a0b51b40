-- What somebody declared about a migration, why, and where: no migration ran for it.
CREATE TABLE tenantry_marks (
    id TEXT NOT NULL PRIMARY KEY,
    command TEXT NOT NULL,
    says TEXT NOT NULL,
    version BIGINT NOT NULL,
    statement INTEGER,
    evidence TEXT,
    reason TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    actor TEXT NOT NULL
);

CREATE INDEX tenantry_marks_started ON tenantry_marks (started_at);

-- `database_id` refers to no table: the central database has no row, and a record outlives its database. `changed`
-- is NULL where nothing is known yet.
CREATE TABLE tenantry_mark_targets (
    mark_id TEXT NOT NULL REFERENCES tenantry_marks (id),
    database_id TEXT NOT NULL,
    track TEXT NOT NULL,
    label TEXT NOT NULL,
    changed INTEGER,
    error_code INTEGER,
    error TEXT,
    PRIMARY KEY (mark_id, database_id, track)
);

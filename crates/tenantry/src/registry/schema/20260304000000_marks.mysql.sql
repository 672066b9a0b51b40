-- What somebody declared about a migration, why, and where: no migration ran for it.
CREATE TABLE tenantry_marks (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    command TEXT NOT NULL,
    says VARCHAR(40) NOT NULL,
    version BIGINT NOT NULL,
    statement INT,
    evidence VARCHAR(64),
    reason TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    actor VARCHAR(255) NOT NULL,
    KEY tenantry_marks_started (started_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- `database_id` refers to no table: the central database has no row, and a record outlives its database. `changed`
-- is NULL where nothing is known yet.
CREATE TABLE tenantry_mark_targets (
    mark_id VARCHAR(36) NOT NULL,
    database_id VARCHAR(36) NOT NULL,
    track VARCHAR(60) NOT NULL,
    label VARCHAR(191) NOT NULL,
    changed INT,
    error_code INT,
    error TEXT,
    PRIMARY KEY (mark_id, database_id, track),
    CONSTRAINT tenantry_mark_targets_mark FOREIGN KEY (mark_id) REFERENCES tenantry_marks (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

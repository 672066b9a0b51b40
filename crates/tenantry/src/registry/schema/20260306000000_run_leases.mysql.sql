-- Who drives a run and until when (`lease_until`, by this database's clock), what it was planned to do, and where
-- each of its targets is. `epoch` grows with every driver: an earlier one cannot write any more. `seq` grows with
-- every write, so that whoever watches reads only what is new.
ALTER TABLE tenantry_runs
    ADD COLUMN reason TEXT,
    ADD COLUMN plan MEDIUMTEXT,
    ADD COLUMN plan_hash VARCHAR(64),
    ADD COLUMN rollout TEXT,
    ADD COLUMN concurrency INT,
    ADD COLUMN wave INT NOT NULL DEFAULT 0,
    ADD COLUMN driver VARCHAR(255),
    ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN wanted VARCHAR(20),
    ADD COLUMN cause VARCHAR(255),
    ADD COLUMN seq BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN found_current BIGINT NOT NULL DEFAULT 0,
    ADD KEY tenantry_runs_status (status);

ALTER TABLE tenantry_run_targets
    ADD COLUMN server VARCHAR(191),
    ADD COLUMN wave INT NOT NULL DEFAULT 0,
    ADD COLUMN state VARCHAR(20) NOT NULL DEFAULT 'ended',
    ADD COLUMN attempts INT NOT NULL DEFAULT 0,
    ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN seq BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN detail MEDIUMTEXT,
    ADD KEY tenantry_run_targets_seq (run_id, seq);

-- Its one row is locked while a run begins, so that two that begin at once see one another.
CREATE TABLE tenantry_run_gate (
    id INT NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO tenantry_run_gate (id) VALUES (1);

-- Who drives a run and until when (`lease_until`, by this machine's clock), what it was planned to do, and where
-- each of its targets is. `epoch` grows with every driver: an earlier one cannot write any more. `seq` grows with
-- every write, so that whoever watches reads only what is new.
ALTER TABLE tenantry_runs ADD COLUMN reason TEXT;

ALTER TABLE tenantry_runs ADD COLUMN plan TEXT;

ALTER TABLE tenantry_runs ADD COLUMN plan_hash TEXT;

ALTER TABLE tenantry_runs ADD COLUMN rollout TEXT;

ALTER TABLE tenantry_runs ADD COLUMN concurrency INTEGER;

ALTER TABLE tenantry_runs ADD COLUMN wave INTEGER NOT NULL DEFAULT 0;

ALTER TABLE tenantry_runs ADD COLUMN driver TEXT;

ALTER TABLE tenantry_runs ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenantry_runs ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenantry_runs ADD COLUMN wanted TEXT;

ALTER TABLE tenantry_runs ADD COLUMN cause TEXT;

ALTER TABLE tenantry_runs ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenantry_runs ADD COLUMN found_current BIGINT NOT NULL DEFAULT 0;

CREATE INDEX tenantry_runs_status ON tenantry_runs (status);

ALTER TABLE tenantry_run_targets ADD COLUMN server TEXT;

ALTER TABLE tenantry_run_targets ADD COLUMN wave INTEGER NOT NULL DEFAULT 0;

ALTER TABLE tenantry_run_targets ADD COLUMN state TEXT NOT NULL DEFAULT 'ended';

ALTER TABLE tenantry_run_targets ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;

ALTER TABLE tenantry_run_targets ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenantry_run_targets ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenantry_run_targets ADD COLUMN detail TEXT;

CREATE INDEX tenantry_run_targets_seq ON tenantry_run_targets (run_id, seq);

-- Its one row is locked while a run begins, so that two that begin at once see one another.
CREATE TABLE tenantry_run_gate (id INTEGER NOT NULL PRIMARY KEY);

INSERT INTO tenantry_run_gate (id) VALUES (1);

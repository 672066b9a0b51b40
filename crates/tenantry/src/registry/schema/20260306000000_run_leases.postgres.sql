-- Who drives a run and until when (`lease_until`, by this database's clock), what it was planned to do, and where
-- each of its targets is. `epoch` grows with every driver: an earlier one cannot write any more. `seq` grows with
-- every write, so that whoever watches reads only what is new.
ALTER TABLE public.tenantry_runs
    ADD COLUMN reason text,
    ADD COLUMN plan text,
    ADD COLUMN plan_hash text COLLATE "C",
    ADD COLUMN rollout text,
    ADD COLUMN concurrency integer,
    ADD COLUMN wave integer NOT NULL DEFAULT 0,
    ADD COLUMN driver text,
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN lease_until bigint NOT NULL DEFAULT 0,
    ADD COLUMN wanted text,
    ADD COLUMN cause text,
    ADD COLUMN seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN found_current bigint NOT NULL DEFAULT 0;

CREATE INDEX tenantry_runs_status ON public.tenantry_runs (status);

ALTER TABLE public.tenantry_run_targets
    ADD COLUMN server text,
    ADD COLUMN wave integer NOT NULL DEFAULT 0,
    ADD COLUMN state text NOT NULL DEFAULT 'ended',
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN detail text;

CREATE INDEX tenantry_run_targets_seq ON public.tenantry_run_targets (run_id, seq);

-- Its one row is locked while a run begins, so that two that begin at once see one another.
CREATE TABLE public.tenantry_run_gate (id integer PRIMARY KEY);

INSERT INTO public.tenantry_run_gate (id) VALUES (1);

-- What somebody declared about a migration, why, and where: no migration ran for it.
CREATE TABLE public.tenantry_marks (
    id text COLLATE "C" PRIMARY KEY,
    command text NOT NULL,
    says text NOT NULL,
    version bigint NOT NULL,
    statement integer,
    evidence text,
    reason text NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint,
    actor text NOT NULL
);

CREATE INDEX tenantry_marks_started ON public.tenantry_marks (started_at);

-- `database_id` refers to no table: the central database has no row, and a record outlives its database. `changed`
-- is NULL where nothing is known yet.
CREATE TABLE public.tenantry_mark_targets (
    mark_id text COLLATE "C" NOT NULL REFERENCES public.tenantry_marks (id),
    database_id text COLLATE "C" NOT NULL,
    track text COLLATE "C" NOT NULL,
    label text NOT NULL,
    changed integer,
    error_code integer,
    error text,
    PRIMARY KEY (mark_id, database_id, track)
);

-- The registry: servers, tenants, their databases, and the runs over them.
-- Times are microseconds since 1970-01-01 UTC; secrets are envelopes (`tmc1.…`), never clear text.
-- Keys compare byte by byte (COLLATE "C"), so that lists have one order on every server.

CREATE TABLE public.tenantry_servers (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    engine text NOT NULL,
    jurisdiction text COLLATE "C" NOT NULL,
    host text,
    port integer,
    folder text,
    tls_mode text,
    ca_pem text,
    insecure_reason text,
    admin_user text,
    admin_secret text,
    admin_secret_version bigint NOT NULL,
    max_parallel integer,
    server_version text,
    created_at bigint NOT NULL
);

CREATE TABLE public.tenantry_tenants (
    id text COLLATE "C" PRIMARY KEY,
    slug text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    jurisdiction text COLLATE "C" NOT NULL,
    status text NOT NULL,
    external_id text COLLATE "C" UNIQUE,
    created_at bigint NOT NULL
);

CREATE TABLE public.tenantry_domains (
    domain text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL REFERENCES public.tenantry_tenants (id)
);

CREATE INDEX tenantry_domains_tenant ON public.tenantry_domains (tenant_id);

-- `product` is empty for the database that a tenant's products share.
CREATE TABLE public.tenantry_databases (
    id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL REFERENCES public.tenantry_tenants (id),
    product text COLLATE "C" NOT NULL,
    server_id text COLLATE "C" NOT NULL REFERENCES public.tenantry_servers (id),
    name text COLLATE "C" NOT NULL,
    db_user text,
    secret text,
    secret_version bigint NOT NULL,
    status text NOT NULL,
    version bigint,
    outcome text,
    error_code integer,
    checked_at bigint,
    created_at bigint NOT NULL,
    UNIQUE (tenant_id, product),
    UNIQUE (server_id, name)
);

CREATE TABLE public.tenantry_runs (
    id text COLLATE "C" PRIMARY KEY,
    command text NOT NULL,
    direction text NOT NULL,
    reverts text COLLATE "C",
    started_at bigint NOT NULL,
    finished_at bigint,
    status text NOT NULL,
    actor text NOT NULL
);

CREATE INDEX tenantry_runs_started ON public.tenantry_runs (started_at);

-- `database_id` refers to no table: the central database has no row, and a record outlives its database.
CREATE TABLE public.tenantry_run_targets (
    run_id text COLLATE "C" NOT NULL REFERENCES public.tenantry_runs (id),
    database_id text COLLATE "C" NOT NULL,
    track text COLLATE "C" NOT NULL,
    label text NOT NULL,
    outcome text NOT NULL,
    from_version bigint,
    to_version bigint,
    migrations integer NOT NULL,
    error_code integer,
    error text,
    duration_ms bigint NOT NULL,
    PRIMARY KEY (run_id, database_id, track)
);

CREATE INDEX tenantry_run_targets_database ON public.tenantry_run_targets (database_id, track);

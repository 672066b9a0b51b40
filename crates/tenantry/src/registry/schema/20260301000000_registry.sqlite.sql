-- The registry: servers, tenants, their databases, and the runs over them.
-- Times are microseconds since 1970-01-01 UTC; secrets are envelopes (`tmc1.…`), never clear text.
-- Keys compare byte by byte, which is SQLite's default.

CREATE TABLE tenantry_servers (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    engine TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    host TEXT,
    port INTEGER,
    folder TEXT,
    tls_mode TEXT,
    ca_pem TEXT,
    insecure_reason TEXT,
    admin_user TEXT,
    admin_secret TEXT,
    admin_secret_version BIGINT NOT NULL,
    max_parallel INTEGER,
    server_version TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE tenantry_tenants (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    status TEXT NOT NULL,
    external_id TEXT UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE tenantry_domains (
    domain TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenantry_tenants (id)
);

CREATE INDEX tenantry_domains_tenant ON tenantry_domains (tenant_id);

-- `product` is empty for the database that a tenant's products share.
CREATE TABLE tenantry_databases (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenantry_tenants (id),
    product TEXT NOT NULL,
    server_id TEXT NOT NULL REFERENCES tenantry_servers (id),
    name TEXT NOT NULL,
    db_user TEXT,
    secret TEXT,
    secret_version BIGINT NOT NULL,
    status TEXT NOT NULL,
    version BIGINT,
    outcome TEXT,
    error_code INTEGER,
    checked_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant_id, product),
    UNIQUE (server_id, name)
);

CREATE TABLE tenantry_runs (
    id TEXT NOT NULL PRIMARY KEY,
    command TEXT NOT NULL,
    direction TEXT NOT NULL,
    reverts TEXT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    status TEXT NOT NULL,
    actor TEXT NOT NULL
);

CREATE INDEX tenantry_runs_started ON tenantry_runs (started_at);

-- `database_id` refers to no table: the central database has no row, and a record outlives its database.
CREATE TABLE tenantry_run_targets (
    run_id TEXT NOT NULL REFERENCES tenantry_runs (id),
    database_id TEXT NOT NULL,
    track TEXT NOT NULL,
    label TEXT NOT NULL,
    outcome TEXT NOT NULL,
    from_version BIGINT,
    to_version BIGINT,
    migrations INTEGER NOT NULL,
    error_code INTEGER,
    error TEXT,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, database_id, track)
);

CREATE INDEX tenantry_run_targets_database ON tenantry_run_targets (database_id, track);

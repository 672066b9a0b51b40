-- The registry: servers, tenants, their databases, and the runs over them.
-- Times are microseconds since 1970-01-01 UTC; secrets are envelopes (`tmc1.…`), never clear text.
-- Keys compare byte by byte (utf8mb4_bin), so that lists have one order on every server.

CREATE TABLE tenantry_servers (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    name VARCHAR(40) NOT NULL,
    engine VARCHAR(20) NOT NULL,
    jurisdiction VARCHAR(40) NOT NULL,
    host VARCHAR(255),
    port INT,
    folder TEXT,
    tls_mode VARCHAR(20),
    ca_pem MEDIUMTEXT,
    insecure_reason TEXT,
    admin_user VARCHAR(255),
    admin_secret TEXT,
    admin_secret_version BIGINT NOT NULL,
    max_parallel INT,
    server_version VARCHAR(191),
    created_at BIGINT NOT NULL,
    UNIQUE KEY tenantry_servers_name (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE tenantry_tenants (
    id VARCHAR(191) NOT NULL PRIMARY KEY,
    slug VARCHAR(40) NOT NULL,
    name TEXT NOT NULL,
    jurisdiction VARCHAR(40) NOT NULL,
    status VARCHAR(20) NOT NULL,
    external_id VARCHAR(191),
    created_at BIGINT NOT NULL,
    UNIQUE KEY tenantry_tenants_slug (slug),
    UNIQUE KEY tenantry_tenants_external_id (external_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE tenantry_domains (
    domain VARCHAR(191) NOT NULL PRIMARY KEY,
    tenant_id VARCHAR(191) NOT NULL,
    KEY tenantry_domains_tenant (tenant_id),
    CONSTRAINT tenantry_domains_of FOREIGN KEY (tenant_id) REFERENCES tenantry_tenants (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- `product` is empty for the database that a tenant's products share.
CREATE TABLE tenantry_databases (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    tenant_id VARCHAR(191) NOT NULL,
    product VARCHAR(40) NOT NULL,
    server_id VARCHAR(36) NOT NULL,
    name VARCHAR(191) NOT NULL,
    db_user VARCHAR(191),
    secret TEXT,
    secret_version BIGINT NOT NULL,
    status VARCHAR(20) NOT NULL,
    version BIGINT,
    outcome VARCHAR(20),
    error_code INT,
    checked_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE KEY tenantry_databases_tenant_product (tenant_id, product),
    UNIQUE KEY tenantry_databases_server_name (server_id, name),
    CONSTRAINT tenantry_databases_tenant FOREIGN KEY (tenant_id) REFERENCES tenantry_tenants (id),
    CONSTRAINT tenantry_databases_server FOREIGN KEY (server_id) REFERENCES tenantry_servers (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE tenantry_runs (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    command TEXT NOT NULL,
    direction VARCHAR(10) NOT NULL,
    reverts VARCHAR(36),
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    status VARCHAR(20) NOT NULL,
    actor VARCHAR(255) NOT NULL,
    KEY tenantry_runs_started (started_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- `database_id` refers to no table: the central database has no row, and a record outlives its database.
CREATE TABLE tenantry_run_targets (
    run_id VARCHAR(36) NOT NULL,
    database_id VARCHAR(36) NOT NULL,
    track VARCHAR(60) NOT NULL,
    label VARCHAR(191) NOT NULL,
    outcome VARCHAR(20) NOT NULL,
    from_version BIGINT,
    to_version BIGINT,
    migrations INT NOT NULL,
    error_code INT,
    error TEXT,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, database_id, track),
    KEY tenantry_run_targets_database (database_id, track),
    CONSTRAINT tenantry_run_targets_run FOREIGN KEY (run_id) REFERENCES tenantry_runs (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

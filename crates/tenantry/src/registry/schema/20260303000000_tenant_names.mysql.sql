-- Every name by which commands find a tenant: its id, its slug and its external id. A name means one tenant, whoever
-- is created beside it.
CREATE TABLE tenantry_tenant_names (
    name VARCHAR(191) NOT NULL PRIMARY KEY,
    tenant_id VARCHAR(191) NOT NULL,
    KEY tenantry_tenant_names_tenant (tenant_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO tenantry_tenant_names (name, tenant_id)
SELECT known.name, MIN(known.tenant_id)
FROM (
    SELECT id AS name, id AS tenant_id FROM tenantry_tenants
    UNION SELECT slug, id FROM tenantry_tenants
    UNION SELECT external_id, id FROM tenantry_tenants WHERE external_id IS NOT NULL
) AS known
GROUP BY known.name;

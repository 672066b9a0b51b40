-- Every name by which commands find a tenant: its id, its slug and its external id. A name means one tenant, whoever
-- is created beside it.
CREATE TABLE tenantry_tenant_names (
    name TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL
);

CREATE INDEX tenantry_tenant_names_tenant ON tenantry_tenant_names (tenant_id);

INSERT INTO tenantry_tenant_names (name, tenant_id)
SELECT known.name, MIN(known.tenant_id)
FROM (
    SELECT id AS name, id AS tenant_id FROM tenantry_tenants
    UNION SELECT slug, id FROM tenantry_tenants
    UNION SELECT external_id, id FROM tenantry_tenants WHERE external_id IS NOT NULL
) AS known
GROUP BY known.name;

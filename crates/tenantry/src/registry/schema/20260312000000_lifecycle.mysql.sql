-- What a tenant was before it was to be deleted: what a restore leads back to; NULL unless it is to be.
ALTER TABLE tenantry_tenants ADD COLUMN status_before VARCHAR(20);

-- When its databases may be dropped, in microseconds since 1970-01-01 UTC; NULL unless they are to be.
ALTER TABLE tenantry_tenants ADD COLUMN drops_at BIGINT;

-- The same of one database: a product that its tenant is to lose.
ALTER TABLE tenantry_databases ADD COLUMN status_before VARCHAR(20);

ALTER TABLE tenantry_databases ADD COLUMN drops_at BIGINT;

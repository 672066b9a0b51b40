-- Every name by which commands find a tenant: its id, its slug and its external id. A name means one tenant, whoever
-- is created beside it.
CREATE TABLE public.tenantry_tenant_names (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL
);

CREATE INDEX tenantry_tenant_names_tenant ON public.tenantry_tenant_names (tenant_id);

INSERT INTO public.tenantry_tenant_names (name, tenant_id)
SELECT known.name, MIN(known.tenant_id)
FROM (
    SELECT id AS name, id AS tenant_id FROM public.tenantry_tenants
    UNION SELECT slug, id FROM public.tenantry_tenants
    UNION SELECT external_id, id FROM public.tenantry_tenants WHERE external_id IS NOT NULL
) AS known
GROUP BY known.name;

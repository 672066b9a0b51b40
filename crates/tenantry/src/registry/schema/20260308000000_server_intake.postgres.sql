-- What a server takes: a tenant's shared database is `tenant`, a product's its type, with commas between; NULL is all.
ALTER TABLE public.tenantry_servers ADD COLUMN accepts text;

-- How many databases it has room for; NULL is no limit.
ALTER TABLE public.tenantry_servers ADD COLUMN capacity integer;

-- Since when it takes no new ones, in microseconds since 1970-01-01 UTC; NULL takes them.
ALTER TABLE public.tenantry_servers ADD COLUMN drains_since bigint;

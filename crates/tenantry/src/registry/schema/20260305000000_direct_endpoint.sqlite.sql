-- A server's own endpoint, where the other one is a pooler's.
ALTER TABLE tenantry_servers ADD COLUMN direct_host TEXT;

ALTER TABLE tenantry_servers ADD COLUMN direct_port INTEGER;

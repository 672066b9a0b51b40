-- A server's own endpoint, where the other one is a pooler's, and what shows that it was named with the key.
ALTER TABLE tenantry_servers ADD COLUMN direct_host TEXT;

ALTER TABLE tenantry_servers ADD COLUMN direct_port INTEGER;

ALTER TABLE tenantry_servers ADD COLUMN direct_seal TEXT;

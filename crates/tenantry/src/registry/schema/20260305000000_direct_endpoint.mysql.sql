-- A server's own endpoint, where the other one is a pooler's, and what shows that it was named with the key.
ALTER TABLE tenantry_servers
    ADD COLUMN direct_host VARCHAR(255), ADD COLUMN direct_port INT, ADD COLUMN direct_seal TEXT;

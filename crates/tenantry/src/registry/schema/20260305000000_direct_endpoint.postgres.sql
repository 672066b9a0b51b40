-- A server's own endpoint, where the other one is a pooler's, and what shows that it was named with the key.
ALTER TABLE public.tenantry_servers
    ADD COLUMN direct_host text, ADD COLUMN direct_port integer, ADD COLUMN direct_seal text;

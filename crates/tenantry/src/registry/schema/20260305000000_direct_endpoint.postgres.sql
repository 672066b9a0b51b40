-- A server's own endpoint, where the other one is a pooler's.
ALTER TABLE public.tenantry_servers ADD COLUMN direct_host text, ADD COLUMN direct_port integer;

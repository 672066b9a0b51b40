-- Until when nothing begins behind the wave of a run, by this database's clock; NULL while the wave is worked on.
ALTER TABLE public.tenantry_runs ADD COLUMN soaks_until bigint;

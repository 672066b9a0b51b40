-- Until when nothing begins behind the wave of a run, by this database's clock; NULL while the wave is worked on.
ALTER TABLE public.tenantry_runs ADD COLUMN soaks_until bigint;

-- What a person confirmed for a target that goes back: counted anew by another driver, steps would go further.
ALTER TABLE public.tenantry_run_targets ADD COLUMN goal text;

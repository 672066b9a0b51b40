-- Until when nothing begins behind the wave of a run, by this machine's clock; NULL while the wave is worked on.
ALTER TABLE tenantry_runs ADD COLUMN soaks_until BIGINT;

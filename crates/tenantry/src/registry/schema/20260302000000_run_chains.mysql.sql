-- Where a run was told to lead, and the run whose work it goes on with. Both are NULL for runs recorded before.
ALTER TABLE tenantry_runs
    ADD COLUMN goal TEXT,
    ADD COLUMN continues VARCHAR(36);

-- Where a run was told to lead, and the run whose work it goes on with. Both are NULL for runs recorded before.
ALTER TABLE public.tenantry_runs
    ADD COLUMN goal text,
    ADD COLUMN continues text COLLATE "C";

-- The password that takes the place of `secret` when the server has it: sealed as the version behind that one.
ALTER TABLE public.tenantry_databases ADD COLUMN next_secret text;

-- The password before `secret`, for a server that is restored from an older backup: sealed as the version before.
ALTER TABLE public.tenantry_databases ADD COLUMN previous_secret text;

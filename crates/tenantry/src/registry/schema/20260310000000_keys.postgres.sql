-- Which keys seal and open the registry's secrets, by the id that is derived from each; never a key. `only_one` is 1 for
-- the key that seals and NULL for every other: so there are never two of them.
CREATE TABLE public.tenantry_keys (
    id text COLLATE "C" PRIMARY KEY,
    state text NOT NULL,
    only_one integer UNIQUE,
    created_at bigint NOT NULL,
    destroyed_at bigint
);

-- Which keys seal and open the registry's secrets, by the id that is derived from each; never a key. `only_one` is 1 for
-- the key that seals and NULL for every other: so there are never two of them.
CREATE TABLE tenantry_keys (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    only_one INTEGER UNIQUE,
    created_at BIGINT NOT NULL,
    destroyed_at BIGINT
);

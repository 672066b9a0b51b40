-- Which keys seal and open the registry's secrets, by the id that is derived from each; never a key. `only_one` is 1 for
-- the key that seals and NULL for every other: so there are never two of them.
CREATE TABLE tenantry_keys (
    id VARCHAR(32) NOT NULL PRIMARY KEY,
    state VARCHAR(20) NOT NULL,
    only_one INT UNIQUE,
    created_at BIGINT NOT NULL,
    destroyed_at BIGINT
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

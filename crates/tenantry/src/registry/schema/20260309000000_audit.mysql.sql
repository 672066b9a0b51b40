-- Who changed what, from where and why: one row for each change, written in the change's own transaction.
-- `hash` covers the row and the hash of the row before, so that a row that was changed, moved or taken out shows.
-- No trigger keeps the rows here: where the server writes a binary log, making one needs rights that a role need not have.
CREATE TABLE tenantry_audit (
    seq BIGINT NOT NULL PRIMARY KEY,
    changed_at BIGINT NOT NULL,
    actor VARCHAR(255) NOT NULL,
    origin VARCHAR(255) NOT NULL,
    action VARCHAR(40) NOT NULL,
    object VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    state_before MEDIUMTEXT,
    state_after MEDIUMTEXT,
    reason TEXT,
    hash VARCHAR(64) NOT NULL,
    KEY tenantry_audit_object (object, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The newest row's number and hash: whoever writes the next one holds this row, and rows that are cut off the end are missed.
CREATE TABLE tenantry_audit_head (
    id INT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash VARCHAR(64) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO tenantry_audit_head (id, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

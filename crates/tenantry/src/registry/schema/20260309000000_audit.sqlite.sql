-- Who changed what, from where and why: one row for each change, written in the change's own transaction.
-- `hash` covers the row and the hash of the row before, so that a row that was changed, moved or taken out shows.
CREATE TABLE tenantry_audit (
    seq BIGINT NOT NULL PRIMARY KEY,
    changed_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    name TEXT NOT NULL,
    state_before TEXT,
    state_after TEXT,
    reason TEXT,
    hash TEXT NOT NULL
);

CREATE INDEX tenantry_audit_object ON tenantry_audit (object, seq);

-- The newest row's number and hash: whoever writes the next one holds this row, and rows that are cut off the end are missed.
CREATE TABLE tenantry_audit_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);

INSERT INTO tenantry_audit_head (id, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER tenantry_audit_stays BEFORE UPDATE ON tenantry_audit
BEGIN
    SELECT RAISE(ABORT, 'tenantry_audit is append-only');
END;

CREATE TRIGGER tenantry_audit_kept BEFORE DELETE ON tenantry_audit
BEGIN
    SELECT RAISE(ABORT, 'tenantry_audit is append-only');
END;

-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER tenantry_audit_new BEFORE INSERT ON tenantry_audit
WHEN EXISTS (SELECT 1 FROM tenantry_audit WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'tenantry_audit is append-only');
END;

-- Who changed what, from where and why: one row for each change, written in the change's own transaction.
-- `hash` covers the row and the hash of the row before, so that a row that was changed, moved or taken out shows.
CREATE TABLE public.tenantry_audit (
    seq bigint NOT NULL PRIMARY KEY,
    changed_at bigint NOT NULL,
    actor varchar(255) NOT NULL,
    origin varchar(255) NOT NULL,
    action varchar(40) NOT NULL,
    object varchar(255) NOT NULL,
    name varchar(255) NOT NULL,
    state_before text,
    state_after text,
    reason text,
    hash varchar(64) NOT NULL
);

CREATE INDEX tenantry_audit_object ON public.tenantry_audit (object, seq);

-- The newest row's number and hash: whoever writes the next one holds this row, and rows that are cut off the end are missed.
CREATE TABLE public.tenantry_audit_head (
    id integer NOT NULL PRIMARY KEY CHECK (id = 1),
    seq bigint NOT NULL,
    hash varchar(64) NOT NULL
);

INSERT INTO public.tenantry_audit_head (id, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE FUNCTION public.tenantry_audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tenantry_audit is append-only';
END
$$;

CREATE TRIGGER tenantry_audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON public.tenantry_audit
FOR EACH STATEMENT EXECUTE FUNCTION public.tenantry_audit_stays();

-- tenantry: no-transaction
-- The table is written to all day: CONCURRENTLY builds the index without stopping the writers.
CREATE INDEX CONCURRENTLY comments_author_idx ON comments (author_email, created_at);

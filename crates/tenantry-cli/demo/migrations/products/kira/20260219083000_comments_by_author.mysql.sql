-- "What has this person written lately?" is asked on every profile page.
CREATE INDEX comments_author_idx ON comments (author_email, created_at);

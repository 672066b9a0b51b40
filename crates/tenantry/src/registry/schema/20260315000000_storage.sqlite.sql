-- Where the platform keeps the files that belong to this database, as it was decided when its name was reserved; NULL where
-- nothing was configured then.
ALTER TABLE tenantry_databases ADD COLUMN storage_path TEXT;

-- Empty staging, so that the import starts with the first batch.
-- Identifiers: staging.
TRUNCATE {staging}

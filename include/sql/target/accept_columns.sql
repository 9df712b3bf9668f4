-- The types of the columns that landed are now those of what is published.
-- Parameters: contract text.
-- Index: source_columns_pkey.
UPDATE source_columns
SET published_type = fetched_type, published_since = clock_timestamp()
WHERE contract = %(contract)s AND published_type IS DISTINCT FROM fetched_type

-- Insert new orders and update those that really changed; the others are not touched.
-- Identifiers: table, staging, columns. Expressions from the contract: same_key, published_values, staged_values,
--   assignments, staged_columns. Parameters: job_log_id bigint.
-- Row count: inserted + updated.
-- Index: the primary keys of both.
MERGE INTO {table} AS published
USING {staging} AS staged
ON {same_key}
WHEN MATCHED AND ({published_values}) IS DISTINCT FROM ({staged_values}) THEN
    UPDATE SET {assignments}, changed_job_log_id = %(job_log_id)s
WHEN NOT MATCHED THEN
    INSERT ({columns}, first_job_log_id, changed_job_log_id)
    VALUES ({staged_columns}, %(job_log_id)s, %(job_log_id)s)

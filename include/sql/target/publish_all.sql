-- Fill the published table, which is empty.
-- Identifiers: table, staging, columns. Parameters: job_log_id bigint.
-- Row count: inserted.
INSERT INTO {table} ({columns}, first_job_log_id, changed_job_log_id)
SELECT {columns}, %(job_log_id)s, %(job_log_id)s
FROM {staging}

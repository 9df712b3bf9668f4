-- What has to add up before the import.
-- Identifiers: batches. Parameters: job_log_id bigint.
-- Result: one row: fetched, landed (rows, as the batches say), batches, in_order (boolean: each row has a higher key than the
--   one before it).
SELECT
    (SELECT fetched FROM job_logs WHERE id = %(job_log_id)s) AS fetched,
    coalesce(sum(landed), 0)::bigint AS landed,
    count(*) AS batches,
    coalesce(bool_and(in_order), FALSE) AS in_order
FROM {batches}
WHERE job_log_id = %(job_log_id)s

-- What has to add up before the import.
-- Identifiers: landing, batches. Parameters: job_log_id bigint.
-- Result: one row: fetched, landed (rows), noted (rows that the batches say landed), batches.
SELECT
    (SELECT fetched FROM job_logs WHERE id = %(job_log_id)s) AS fetched,
    (SELECT count(*) FROM {landing} WHERE job_log_id = %(job_log_id)s) AS landed,
    coalesce(sum(landed), 0)::bigint AS noted,
    count(*) AS batches
FROM {batches}
WHERE job_log_id = %(job_log_id)s

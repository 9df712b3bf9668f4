-- Everything that has to add up before publishing.
-- Identifiers: table, landing, staging, batches. Parameters: job_log_id bigint.
-- Result: one row: fetched, landed (rows), noted (rows that the batches say landed), imported, rejected,
--   staged (rows), published (rows before this publish), batches, unfinished (batches not imported).
SELECT
    (SELECT fetched FROM job_logs WHERE id = %(job_log_id)s) AS fetched,
    (SELECT count(*) FROM {landing} WHERE job_log_id = %(job_log_id)s) AS landed,
    coalesce(sum(landed), 0)::bigint AS noted,
    coalesce(sum(imported), 0)::bigint AS imported,
    coalesce(sum(rejected), 0)::bigint AS rejected,
    (SELECT count(*) FROM {staging}) AS staged,
    (SELECT count(*) FROM {table}) AS published,
    count(*) AS batches,
    count(*) FILTER (WHERE imported IS NULL) AS unfinished
FROM {batches}
WHERE job_log_id = %(job_log_id)s

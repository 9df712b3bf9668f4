-- Everything that has to add up before publishing.
-- Identifiers: table, staging, batches. Parameters: job_log_id bigint.
-- Result: one row: fetched, landed (rows, as the batches say, each of which the import held against landing), imported, rejected,
--   staged (rows), published (rows before this publish), batches, unfinished (batches not imported).
SELECT
    (SELECT fetched FROM job_logs WHERE id = %(job_log_id)s) AS fetched,
    coalesce(sum(landed), 0)::bigint AS landed,
    coalesce(sum(imported), 0)::bigint AS imported,
    coalesce(sum(rejected), 0)::bigint AS rejected,
    (SELECT count(*) FROM {staging}) AS staged,
    (SELECT count(*) FROM {table}) AS published,
    count(*) AS batches,
    count(*) FILTER (WHERE imported IS NULL) AS unfinished
FROM {batches}
WHERE job_log_id = %(job_log_id)s

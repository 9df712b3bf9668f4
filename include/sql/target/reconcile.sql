-- What has to add up before publishing, but for what is in staging.
-- Identifiers: table, batches. Parameters: job_log_id bigint.
-- Result: one row: fetched, landed (rows, each batch of which the import held against landing), batches, in_order, imported,
--   rejected, unfinished (batches not imported), published (rows before this publish).
SELECT
    (SELECT fetched FROM job_logs WHERE id = %(job_log_id)s) AS fetched,
    coalesce(sum(landed), 0)::bigint AS landed,
    count(*) AS batches,
    coalesce(bool_and(in_order), FALSE) AS in_order,
    coalesce(sum(imported), 0)::bigint AS imported,
    coalesce(sum(rejected), 0)::bigint AS rejected,
    count(*) FILTER (WHERE imported IS NULL) AS unfinished,
    (SELECT count(*) FROM {table}) AS published
FROM {batches}
WHERE job_log_id = %(job_log_id)s

-- What is usual for a job: its last successes, so many, beside the execution that is about to end.
-- Parameters: job_log_id bigint (of that execution); job_name text; runs integer; fetched bigint.
-- Result: one row: duration_s of that execution so far; compared (how many of those successes did all of their work in
--   one go, on half to twice as many rows) and usual_s, the median of their durations, or NULL; runs (how many there are)
--   and largest, their largest total_after, or NULL.
-- Index: job_logs_job_name_status_created_at_id_idx, job_logs_pkey.
WITH recent AS (
    SELECT
        total_after,
        extract(EPOCH FROM completed_at - started_at)::float8 AS duration_s,
        clear_number = 0 AND fetched BETWEEN %(fetched)s::bigint / 2 AND %(fetched)s::bigint * 2 AS is_comparable
    FROM job_logs
    WHERE job_name = %(job_name)s AND status = 2
    ORDER BY created_at DESC, id DESC
    LIMIT %(runs)s
)
SELECT
    (
        SELECT extract(EPOCH FROM clock_timestamp() - started_at)::float8
        FROM job_logs
        WHERE id = %(job_log_id)s
    ) AS duration_s,
    count(*) FILTER (WHERE is_comparable) AS compared,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_s) FILTER (WHERE is_comparable) AS usual_s,
    count(*) AS runs,
    max(total_after) AS largest
FROM recent

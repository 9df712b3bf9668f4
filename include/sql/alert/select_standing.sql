-- How a job stands by its job logs: its last success, and the runs that failed after it (at most 1,000 are counted).
-- Parameters: job_name text; dead_after_s integer.
-- Result: one row: now; success_id, success_name, succeeded_at; failures; failing_since (when the first of them began);
--   failed_id, failed_name, error_summary of the last of them; running_since of a run that is alive. NULL where there is none.
-- Index: job_logs_job_name_status_created_at_id_idx.
WITH success AS (
    SELECT id, name, completed_at, created_at
    FROM job_logs
    WHERE job_name = %(job_name)s AND status = 2
    ORDER BY created_at DESC, id DESC
    LIMIT 1
),
failed AS (
    SELECT id, name, started_at, created_at, error_summary
    FROM job_logs
    WHERE job_name = %(job_name)s AND status = 3
        AND (created_at, id) > (
            coalesce((SELECT created_at FROM success), '-infinity'), coalesce((SELECT id FROM success), 0)
        )
    ORDER BY created_at DESC, id DESC
    LIMIT 1000
)
SELECT
    clock_timestamp() AS now,
    success.id AS success_id,
    success.name AS success_name,
    success.completed_at AS succeeded_at,
    (SELECT count(*) FROM failed) AS failures,
    (SELECT min(started_at) FROM failed) AS failing_since,
    last_failed.id AS failed_id,
    last_failed.name AS failed_name,
    last_failed.error_summary,
    (
        SELECT max(started_at)
        FROM job_logs
        WHERE job_name = %(job_name)s AND status IN (0, 1)
            AND heartbeat_at > clock_timestamp() - make_interval(secs => %(dead_after_s)s)
    ) AS running_since
FROM (SELECT 1) AS one
LEFT JOIN success ON true
LEFT JOIN (SELECT * FROM failed ORDER BY created_at DESC, id DESC LIMIT 1) AS last_failed ON true

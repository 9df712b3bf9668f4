-- Delete a batch of messages of runs that ended one way, longest ago first, and note which logs have none left.
-- Left alone: a job's newest success, and a log that somebody else works on at this moment.
-- Parameters: status smallint; before timestamptz (runs that ended earlier); logs, rows integer (the batch at most);
--   after_at timestamptz, after_id bigint: where the batch before this one ended.
-- Result: deleted (messages), more (whether to go on), after_at, after_id; no row when there is nothing.
-- Index: job_logs_details_kept_idx, job_logs_job_name_status_created_at_id_idx, job_log_details_job_log_id_id_idx.
WITH expired AS MATERIALIZED (
    SELECT id, completed_at
    FROM job_logs AS log
    WHERE status = %(status)s
        AND (details_deleted_at IS NULL OR details_deleted_at < completed_at)
        AND completed_at < %(before)s
        AND (completed_at, id) > (%(after_at)s, %(after_id)s)
        AND (
            status <> 2
            OR EXISTS (
                SELECT FROM job_logs AS newer
                WHERE newer.job_name = log.job_name AND newer.status = 2
                    AND (newer.created_at, newer.id) > (log.created_at, log.id)
            )
        )
    ORDER BY completed_at, id
    LIMIT %(logs)s
    FOR NO KEY UPDATE SKIP LOCKED
),
doomed AS MATERIALIZED (
    SELECT detail.id
    FROM expired
    JOIN job_log_details AS detail ON detail.job_log_id = expired.id
    LIMIT %(rows)s
),
deleted AS (
    DELETE FROM job_log_details AS detail
    USING doomed
    WHERE detail.id = doomed.id
),
counted AS (
    SELECT count(*) AS details, count(*) = %(rows)s AS is_full
    FROM doomed
),
noted AS (
    UPDATE job_logs AS log
    SET details_deleted_at = clock_timestamp()
    FROM expired, counted
    -- A full batch may have left messages of any of these logs: the next one looks at them again.
    WHERE log.id = expired.id AND NOT counted.is_full
)
SELECT
    counted.details AS deleted,
    counted.is_full OR (SELECT count(*) FROM expired) = %(logs)s AS more,
    CASE WHEN counted.is_full THEN %(after_at)s ELSE last.completed_at END AS after_at,
    CASE WHEN counted.is_full THEN %(after_id)s ELSE last.id END AS after_id
FROM counted
CROSS JOIN (SELECT completed_at, id FROM expired ORDER BY completed_at DESC, id DESC LIMIT 1) AS last

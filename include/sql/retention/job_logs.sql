-- Delete a batch of job logs that ended long ago, oldest first, once their messages are gone.
-- Left alone: a job's newest success, a log that is not closed, and one that somebody else works on at this moment.
-- Parameters: before timestamptz (runs that ended earlier); rows integer (the batch at most);
--   after_at timestamptz, after_id bigint: where the batch before this one ended.
-- Result: deleted (logs), more (whether to go on), after_at, after_id; no row when there is nothing.
-- Index: job_logs_created_at_id_idx, job_logs_job_name_status_created_at_id_idx.
WITH expired AS MATERIALIZED (
    SELECT id, created_at
    FROM job_logs AS log
    WHERE created_at < %(before)s
        AND (created_at, id) > (%(after_at)s, %(after_id)s)
        AND status IN (2, 3)
        AND completed_at < %(before)s
        AND details_deleted_at >= completed_at
        AND (
            status <> 2
            OR EXISTS (
                SELECT FROM job_logs AS newer
                WHERE newer.job_name = log.job_name AND newer.status = 2
                    AND (newer.created_at, newer.id) > (log.created_at, log.id)
            )
        )
    ORDER BY created_at, id
    LIMIT %(rows)s
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM job_logs AS log
    USING expired
    WHERE log.id = expired.id
)
SELECT
    (SELECT count(*) FROM expired) AS deleted,
    (SELECT count(*) FROM expired) = %(rows)s AS more,
    created_at AS after_at,
    id AS after_id
FROM expired
ORDER BY created_at DESC, id DESC
LIMIT 1

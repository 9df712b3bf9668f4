-- Delete a batch of rejected orders that no sync has seen for long, of the oldest syncs first.
-- Left alone: those that a job's newest success or a later run saw, which pages show as today's.
-- Ids of job logs grow with time: that of the first log since then bounds what the index has to be read of.
-- Parameters: before timestamptz (last seen earlier); rows integer (the batch at most);
--   after_at timestamptz (unused), after_id bigint: the job log at which the batch before this one ended.
-- Result: deleted (rows), more (whether to go on), after_at, after_id; no row when there is nothing.
-- Index: rejected_orders_last_job_log_id_idx, job_logs_created_at_id_idx, job_logs_job_name_status_created_at_id_idx.
WITH expired AS MATERIALIZED (
    SELECT rejected.id, rejected.last_job_log_id
    FROM rejected_orders AS rejected
    LEFT JOIN job_logs AS log ON log.id = rejected.last_job_log_id
    WHERE rejected.last_job_log_id >= %(after_id)s
        AND rejected.last_job_log_id < (
            SELECT id FROM job_logs WHERE created_at >= %(before)s ORDER BY created_at, id LIMIT 1
        )
        AND rejected.last_seen_at < %(before)s
        AND (
            log.id IS NULL
            OR EXISTS (
                SELECT FROM job_logs AS newer
                WHERE newer.job_name = log.job_name AND newer.status = 2
                    AND (newer.created_at, newer.id) > (log.created_at, log.id)
            )
        )
    ORDER BY rejected.last_job_log_id
    LIMIT %(rows)s
    FOR UPDATE OF rejected SKIP LOCKED
),
deleted AS (
    DELETE FROM rejected_orders AS rejected
    USING expired
    WHERE rejected.id = expired.id
)
SELECT
    (SELECT count(*) FROM expired) AS deleted,
    (SELECT count(*) FROM expired) = %(rows)s AS more,
    %(after_at)s AS after_at,
    max(last_job_log_id) AS after_id
FROM expired
HAVING count(*) > 0

-- Job logs that nobody closed yet, oldest first.
-- Parameters: job_name text, or NULL for all jobs; except_id bigint, or NULL.
-- Result: id, name, status, dag_id, run_id, step, heartbeat_at, silent_s (seconds since the last heartbeat).
-- Index: job_logs_status_created_at_id_idx.
SELECT
    id, name, status, dag_id, run_id, step, heartbeat_at,
    extract(EPOCH FROM clock_timestamp() - heartbeat_at)::float8 AS silent_s
FROM job_logs
WHERE status IN (0, 1)
    AND (%(job_name)s::text IS NULL OR job_name = %(job_name)s)
    AND id IS DISTINCT FROM %(except_id)s::bigint
ORDER BY id

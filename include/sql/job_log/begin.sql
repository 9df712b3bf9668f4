-- New becomes processing; so does closed, when the run was cleared in Airflow or its id is used by another run.
-- Parameters: id bigint; clear_number integer; started_at, run_started_at timestamptz; step text; step_try integer.
-- Result: one row when it moved.
-- Index: job_logs_pkey.
UPDATE job_logs
SET status = 1, clear_number = %(clear_number)s, run_started_at = %(run_started_at)s,
    -- A new log keeps the time that its name tells.
    started_at = CASE WHEN status = 0 THEN started_at ELSE %(started_at)s END,
    completed_at = NULL, error_summary = NULL, step = %(step)s, step_try = %(step_try)s,
    heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(id)s
    AND (
        status = 0
        OR (status IN (2, 3) AND (clear_number < %(clear_number)s OR run_started_at < %(run_started_at)s))
    )
RETURNING id

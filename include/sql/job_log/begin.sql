-- New, or closed and cleared in Airflow, becomes processing.
-- Parameters: id bigint; clear_number integer; started_at timestamptz; step text; step_try integer.
-- Result: one row when it moved.
-- Index: job_logs_pkey.
UPDATE job_logs
SET status = 1, clear_number = %(clear_number)s, started_at = %(started_at)s, completed_at = NULL,
    error_summary = NULL, step = %(step)s, step_try = %(step_try)s,
    heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(id)s AND (status = 0 OR (status IN (2, 3) AND clear_number < %(clear_number)s))
RETURNING id

-- A step, or another attempt of it, takes the job log over; whoever held it before is fenced off.
-- Parameters: id bigint; clear_number integer; run_started_at timestamptz; step text; step_try integer.
-- Result: one row when the job log is still processing, and the run wasn't cleared since this attempt was sent off.
-- Index: job_logs_pkey.
UPDATE job_logs
SET step = %(step)s, step_try = %(step_try)s, clear_number = %(clear_number)s, run_started_at = %(run_started_at)s,
    heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(id)s AND status = 1
    AND (clear_number <= %(clear_number)s OR run_started_at < %(run_started_at)s)
RETURNING id

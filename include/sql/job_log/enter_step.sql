-- A step, or another attempt of it, takes the job log over; whoever held it before is fenced off.
-- Parameters: id bigint; clear_number integer; step text; step_try integer.
-- Result: one row when the job log is still processing.
-- Index: job_logs_pkey.
UPDATE job_logs
SET step = %(step)s, step_try = %(step_try)s, clear_number = greatest(clear_number, %(clear_number)s),
    heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(id)s AND status = 1
RETURNING id

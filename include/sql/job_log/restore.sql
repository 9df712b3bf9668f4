-- A job log that had succeeded and was opened again, by a run that then succeeded without its last step, is a success.
-- Parameters: id bigint; clear_number integer: not if the run was cleared more often since, or NULL.
-- Result: one row when it moved.
-- Index: job_logs_pkey.
UPDATE job_logs
SET status = 2, completed_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(id)s AND status = 1 AND succeeded_at IS NOT NULL
    AND clear_number <= coalesce(%(clear_number)s::integer, clear_number)
RETURNING id

-- An unfinished job log becomes error.
-- Parameters: id bigint; error_summary text; step text and step_try integer of the attempt that fails, or both NULL
--   when somebody outside the run closes it; completed_at timestamptz, or NULL for now.
-- Result: one row when it moved.
-- Index: job_logs_pkey.
UPDATE job_logs
SET status = 3, completed_at = coalesce(%(completed_at)s::timestamptz, clock_timestamp()),
    error_summary = %(error_summary)s, updated_at = clock_timestamp()
WHERE id = %(id)s AND status IN (0, 1)
    AND (%(step)s::text IS NULL OR step IS NULL OR (step = %(step)s AND step_try = %(step_try)s))
RETURNING id

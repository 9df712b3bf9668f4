-- An unfinished job log becomes error. What an earlier success of the same run published is no longer its result.
-- Parameters: id bigint; error_summary text; completed_at timestamptz, or NULL for now;
--   step text and step_try integer of the attempt that fails, or both NULL when somebody outside the run closes it;
--   clear_number integer: not if the run was cleared more often since, or NULL.
-- Result: one row when it moved.
-- Index: job_logs_pkey.
UPDATE job_logs
SET status = 3, completed_at = coalesce(%(completed_at)s::timestamptz, clock_timestamp()),
    error_summary = %(error_summary)s, updated_at = clock_timestamp(),
    inserted = NULL, updated = NULL, deleted = NULL, total_after = NULL
WHERE id = %(id)s AND status IN (0, 1)
    AND (%(step)s::text IS NULL OR step IS NULL OR (step = %(step)s AND step_try = %(step_try)s))
    AND clear_number <= coalesce(%(clear_number)s::integer, clear_number)
RETURNING id

-- Fence, heartbeat and counts in one: only the attempt that holds the job log may write, and only while it is processing.
-- Parameters: id bigint; step text; step_try integer; fetched, imported, rejected bigint (NULL leaves the count as it is).
-- Result: one row when the fence held.
-- Index: job_logs_pkey.
UPDATE job_logs
SET fetched = coalesce(%(fetched)s::bigint, fetched),
    imported = coalesce(%(imported)s::bigint, imported),
    rejected = coalesce(%(rejected)s::bigint, rejected),
    heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(id)s AND status = 1 AND step = %(step)s AND step_try = %(step_try)s
RETURNING id

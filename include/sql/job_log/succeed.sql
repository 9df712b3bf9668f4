-- Processing becomes success, by the attempt that holds the job log.
-- Parameters: id bigint; step text; step_try integer;
--   fetched, imported, rejected, inserted, updated, deleted, total_after bigint (NULL leaves the count as it is).
-- Result: duration_s (seconds from start to now) when it moved.
-- Index: job_logs_pkey.
UPDATE job_logs
SET status = 2, completed_at = clock_timestamp(), succeeded_at = clock_timestamp(), updated_at = clock_timestamp(),
    fetched = coalesce(%(fetched)s::bigint, fetched),
    imported = coalesce(%(imported)s::bigint, imported),
    rejected = coalesce(%(rejected)s::bigint, rejected),
    inserted = coalesce(%(inserted)s::bigint, inserted),
    updated = coalesce(%(updated)s::bigint, updated),
    deleted = coalesce(%(deleted)s::bigint, deleted),
    total_after = coalesce(%(total_after)s::bigint, total_after)
WHERE id = %(id)s AND status IN (0, 1) AND step = %(step)s AND step_try = %(step_try)s
RETURNING extract(EPOCH FROM completed_at - started_at)::float8 AS duration_s

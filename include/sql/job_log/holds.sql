-- Whether an attempt may still write to a job log: it is unfinished, and nobody else took it over.
-- Parameters: id bigint; step text; step_try integer.
-- Result: one row when it may.
-- Index: job_logs_pkey.
SELECT id
FROM job_logs
WHERE id = %(id)s AND status IN (0, 1) AND (step IS NULL OR (step = %(step)s AND step_try = %(step_try)s))

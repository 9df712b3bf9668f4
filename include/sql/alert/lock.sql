-- How a job stood; whoever wants to change that waits until the end of the transaction.
-- Parameters: job_name text.
-- Result: job_name, state, since, reason, job_log_id, due_since, due_at.
-- Index: job_alerts_pkey.
SELECT job_name, state, since, reason, job_log_id, due_since, due_at
FROM job_alerts
WHERE job_name = %(job_name)s
FOR UPDATE

-- How a job stands now.
-- Parameters: job_name, state, reason text; since, due_since, due_at timestamptz; job_log_id bigint.
-- Index: job_alerts_pkey.
UPDATE job_alerts
SET state = %(state)s, since = %(since)s, reason = %(reason)s, job_log_id = %(job_log_id)s,
    due_since = %(due_since)s, due_at = %(due_at)s
WHERE job_name = %(job_name)s

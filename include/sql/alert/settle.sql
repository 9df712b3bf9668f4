-- What became of an alert that this process had claimed.
-- Parameters: job_name, failure text (NULL when it was delivered); claimed_at timestamptz.
-- Index: job_alerts_pkey.
UPDATE job_alerts
SET delivered_at = CASE WHEN %(failure)s::text IS NULL THEN clock_timestamp() END, failure = %(failure)s
WHERE job_name = %(job_name)s AND claimed_at = %(claimed_at)s

-- The alert about how a job stands now takes the place of the one before, whether that was delivered or not.
-- Parameters: job_name text; title, body text (NULL when nobody is to be told).
-- Index: job_alerts_pkey.
UPDATE job_alerts
SET title = %(title)s, body = %(body)s, attempts = 0, claimed_at = NULL, delivered_at = NULL, failure = NULL
WHERE job_name = %(job_name)s

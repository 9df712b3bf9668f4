-- One process at a time may deliver a job's alert; one that died over it is taken over after a while.
-- Parameters: job_name text; most_attempts, claim_s integer.
-- Result: state, title, body, job_log_id, attempts, claimed_at; no row when there is nothing to deliver.
-- Index: job_alerts_pkey.
UPDATE job_alerts
SET attempts = attempts + 1, claimed_at = clock_timestamp()
WHERE job_name = %(job_name)s
    AND title IS NOT NULL AND delivered_at IS NULL AND attempts < %(most_attempts)s
    AND (claimed_at IS NULL OR claimed_at < clock_timestamp() - make_interval(secs => %(claim_s)s))
RETURNING state, title, body, job_log_id, attempts, claimed_at

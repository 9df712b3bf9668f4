-- A job that nobody looked at so far, as well.
-- Parameters: job_name text.
-- Index: job_alerts_pkey.
INSERT INTO job_alerts (job_name)
VALUES (%(job_name)s)
ON CONFLICT DO NOTHING

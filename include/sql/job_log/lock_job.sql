-- One opener of a job at a time, until the end of the transaction.
-- Parameters: job_name text.
SELECT pg_advisory_xact_lock(hashtextextended('job_logs ' || %(job_name)s, 0))

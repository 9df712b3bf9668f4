-- Mark every batch of this job log as not yet imported.
-- Identifiers: batches. Parameters: job_log_id bigint.
UPDATE {batches}
SET imported = NULL, rejected = NULL
WHERE job_log_id = %(job_log_id)s

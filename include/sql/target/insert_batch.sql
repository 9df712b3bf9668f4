-- Note that a batch landed.
-- Identifiers: batches. Parameters: job_log_id bigint; batch_no integer; landed bigint.
INSERT INTO {batches} (job_log_id, batch_no, landed)
VALUES (%(job_log_id)s, %(batch_no)s, %(landed)s)

-- The batches of this job log, in order.
-- Identifiers: batches. Parameters: job_log_id bigint.
-- Result: batch_no, landed, imported, rejected (both NULL when the batch is not imported yet).
-- Index: the table's primary key.
SELECT batch_no, landed, imported, rejected
FROM {batches}
WHERE job_log_id = %(job_log_id)s
ORDER BY batch_no

-- Forget how often this job log saw each rejected row; the import counts them anew.
-- Parameters: job_log_id bigint; contract text.
-- Index: rejected_orders_last_job_log_id_idx.
UPDATE rejected_orders
SET occurrences = 0
WHERE last_job_log_id = %(job_log_id)s AND contract = %(contract)s

-- Note that a batch landed.
-- Identifiers: batches. Parameters: job_log_id bigint; batch_no integer; first_row (its first row_no), landed bigint; in_order boolean
--   (each row of the fetch has a higher key than the one before it).
INSERT INTO {batches} (job_log_id, batch_no, first_row, landed, in_order)
VALUES (%(job_log_id)s, %(batch_no)s, %(first_row)s, %(landed)s, %(in_order)s)

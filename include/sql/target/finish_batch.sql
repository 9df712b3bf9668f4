-- Note what became of a batch, in the transaction that imported it.
-- Identifiers: batches. Parameters: job_log_id bigint; batch_no integer; imported, rejected bigint.
-- Row count: 0 when another run landed since, whose rows landing holds now.
-- Index: the table's primary key.
UPDATE {batches}
SET imported = %(imported)s, rejected = %(rejected)s
WHERE job_log_id = %(job_log_id)s AND batch_no = %(batch_no)s

-- Move the rows of one batch that keep the contract from landing to staging, cast to its types.
-- Identifiers: landing, staging, columns. Expressions from the contract: casts, is_valid.
-- Parameters: job_log_id bigint; batch_no integer; first, last text (places of its first and last row).
-- Row count: the rows imported.
INSERT INTO {staging} ({columns})
SELECT {casts}
FROM {landing}
WHERE
    ctid BETWEEN %(first)s::tid AND %(last)s::tid
    AND batch_no = %(batch_no)s AND job_log_id = %(job_log_id)s AND {is_valid}

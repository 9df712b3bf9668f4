-- Move the rows of one batch that keep the contract from landing to staging, cast to its types.
-- Identifiers: landing, staging, columns. Expressions from the contract: casts, is_valid.
-- Parameters: first_row, last_row bigint (numbers of its rows); first, last text (places between which they are).
-- Row count: the rows imported.
INSERT INTO {staging} ({columns})
SELECT {casts}
FROM {landing}
WHERE
    ctid BETWEEN %(first)s::tid AND %(last)s::tid
    AND row_no BETWEEN %(first_row)s AND %(last_row)s AND {is_valid}

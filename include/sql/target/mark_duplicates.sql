-- Of valid rows with the same key keep the first and say of the others why they are to be rejected. Repeating it changes
-- nothing: rows that are marked are no longer valid.
-- Identifiers: landing, key. Expressions from the contract: comparable_key, is_valid, duplicate_reason.
-- Row count: the rows marked.
WITH repeated AS MATERIALIZED (
    SELECT {comparable_key}
    FROM {landing}
    GROUP BY {comparable_key_numbers}
    HAVING count(*) > 1
),
-- Without a join, for which PostgreSQL, who knows no number of rows here, would compare each row with each.
again AS (
    SELECT ctid
    FROM (
        SELECT ctid, row_number() OVER (PARTITION BY {key} ORDER BY row_no) AS position
        FROM (
            SELECT ctid, row_no, {comparable_key}
            FROM {landing}
            WHERE {is_valid} AND EXISTS (SELECT FROM repeated)
        ) AS valid
    ) AS numbered
    WHERE position > 1
)
UPDATE {landing} AS landed
SET unstorable = {duplicate_reason}
FROM again
WHERE landed.ctid = again.ctid

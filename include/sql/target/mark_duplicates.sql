-- Of valid rows with the same key keep the first and say of the others why they are to be rejected. Repeating it changes
-- nothing: rows that are marked are no longer valid.
-- Identifiers: landing, key. Expressions from the contract: comparable_key, is_valid, duplicate_reason.
-- Parameters: job_log_id bigint.
-- Row count: the rows marked.
WITH repeated AS MATERIALIZED (
    SELECT {comparable_key}
    FROM {landing}
    WHERE job_log_id = %(job_log_id)s
    GROUP BY {comparable_key_numbers}
    HAVING count(*) > 1
),
again AS (
    SELECT row_no
    FROM (
        SELECT row_no, row_number() OVER (PARTITION BY {key} ORDER BY row_no) AS place
        FROM (
            SELECT row_no, {comparable_key}
            FROM {landing}
            WHERE job_log_id = %(job_log_id)s AND {is_valid} AND EXISTS (SELECT FROM repeated)
        ) AS valid
        INNER JOIN repeated USING ({key})
    ) AS placed
    WHERE place > 1
)
UPDATE {landing} AS landed
SET unstorable = {duplicate_reason}
FROM again
WHERE landed.row_no = again.row_no AND landed.job_log_id = %(job_log_id)s

-- What this run's rejects are together: rows that repeat a key, and the most frequent reason of the others.
-- Parameters: job_log_id bigint; contract, duplicate (how the reason of a repeated key begins) text; most bigint (rejects
--   to look at for the most frequent reason; offences of the same kind with other values count together).
-- Result: one row: duplicates (rows), duplicate (the reason of one, or NULL), reason (the most frequent other, or NULL).
-- Index: rejected_orders_last_job_log_id_idx.
WITH current AS (
    SELECT reason, occurrences, starts_with(reason, %(duplicate)s) AS is_duplicate
    FROM rejected_orders
    WHERE last_job_log_id = %(job_log_id)s AND contract = %(contract)s AND occurrences > 0
),
sample AS (
    SELECT reason, occurrences
    FROM current
    WHERE NOT is_duplicate
    LIMIT %(most)s
)
SELECT
    coalesce(sum(occurrences) FILTER (WHERE is_duplicate), 0)::bigint AS duplicates,
    min(reason) FILTER (WHERE is_duplicate) AS duplicate,
    (
        SELECT min(reason)
        FROM sample
        GROUP BY regexp_replace(reason, '''[^'']*''', '', 'g')
        ORDER BY sum(occurrences) DESC, min(reason)
        LIMIT 1
    ) AS reason
FROM current

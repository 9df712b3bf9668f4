-- Keep what the merge is about to insert and update: new rows whole, changed ones with the old values that differ.
-- Of more than `most` differing rows any so many are kept: writing down a million takes longer than merging them.
-- Identifiers: table, staging, key. Expressions from the contract: same_key, published_key, published_values,
--   staged_values. Parameters: job_log_id bigint; contract text; most bigint.
-- Index: the primary keys of both.
WITH differing AS (
    SELECT published AS old, staged AS new, ({published_key}) IS NULL AS is_new, staged.*
    FROM {staging} AS staged
    LEFT JOIN {table} AS published ON {same_key}
    WHERE ({published_key}) IS NULL OR ({published_values}) IS DISTINCT FROM ({staged_values})
    LIMIT %(most)s
),
-- Materialized, or each row would be turned into JSON again for each of its columns.
described AS MATERIALIZED (
    SELECT
        is_new,
        (SELECT to_jsonb(named) FROM (SELECT {key}) AS named) AS "key",
        to_jsonb(old) AS before,
        to_jsonb(new) - 'row_no' AS after
    FROM differing
    ORDER BY is_new DESC, {key}
)
INSERT INTO open_order_changes (contract, job_log_id, kind, "key", before, after)
SELECT
    %(contract)s, %(job_log_id)s, CASE WHEN is_new THEN 'new' ELSE 'changed' END, "key",
    CASE WHEN NOT is_new THEN (
        SELECT jsonb_object_agg(was.name, was.value)
        FROM jsonb_each(before) AS was (name, value)
        WHERE after ? was.name AND was.value IS DISTINCT FROM after -> was.name
    ) END,
    after
FROM described

-- Keep what the merge is about to insert and update: new rows whole, changed ones with the old values that differ.
-- Identifiers: table, staging. Expressions from the contract: same_key, published_key, staged_key, published_values,
--   staged_values. Parameters: job_log_id bigint; contract text.
-- Index: the primary keys of both.
WITH differing AS (
    SELECT
        ({published_key}) IS NULL AS is_new,
        (SELECT to_jsonb(named) FROM (SELECT {staged_key}) AS named) AS "key",
        to_jsonb(published) AS before,
        to_jsonb(staged) - 'row_no' AS after
    FROM {staging} AS staged
    LEFT JOIN {table} AS published ON {same_key}
    WHERE ({published_key}) IS NULL OR ({published_values}) IS DISTINCT FROM ({staged_values})
    ORDER BY {staged_key}
)
INSERT INTO open_order_changes (contract, job_log_id, kind, "key", before, after)
SELECT
    %(contract)s, %(job_log_id)s, CASE WHEN is_new THEN 'new' ELSE 'changed' END, "key",
    CASE WHEN NOT is_new THEN (
        SELECT jsonb_object_agg(old.name, old.value)
        FROM jsonb_each(before) AS old (name, value)
        WHERE after ? old.name AND old.value IS DISTINCT FROM after -> old.name
    ) END,
    after
FROM differing

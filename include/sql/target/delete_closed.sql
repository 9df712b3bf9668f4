-- Remove orders that are no longer open: published, but not staged. They are kept as changes, with their last values.
-- Identifiers: table, staging, key. Expression from the contract: same_key (of published and staged).
-- Parameters: job_log_id bigint; contract text; most bigint (changes to keep).
-- Result: one row: deleted.
-- Index: the primary keys of both.
WITH closed AS (
    DELETE FROM {table} AS published
    WHERE NOT EXISTS (SELECT FROM {staging} AS staged WHERE {same_key})
    RETURNING published.*
),
recorded AS (
    INSERT INTO open_order_changes (contract, job_log_id, kind, "key", before)
    SELECT
        %(contract)s, %(job_log_id)s, 'closed',
        (SELECT to_jsonb(named) FROM (SELECT {key}) AS named),
        to_jsonb(kept) - ARRAY['first_job_log_id', 'changed_job_log_id']
    FROM (SELECT * FROM closed LIMIT %(most)s) AS kept
    ORDER BY {key}
)
SELECT count(*) AS deleted FROM closed

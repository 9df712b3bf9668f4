-- Make the published table equal to staging where they differ, and keep that as changes: new rows whole, changed ones with
-- the old values that differ, closed ones with their last values.
-- Of more than `most` differing rows any so many are kept: writing down a million takes longer than publishing them.
-- Identifiers: table, staging, columns. Expressions from the contract over published and staged: staged_columns,
--   assignments, either_key, named_key, names_of_unchanged; part: find_differences, or given_differences.
-- Parameters: job_log_id bigint; contract text; most bigint; those of the part.
-- OFFSET 0 has rows looked up at those places: PostgreSQL expects many to differ, and would read whole tables first.
-- Result: one row: inserted, updated, deleted.
WITH differing AS MATERIALIZED (
    {part}
),
closed AS (
    DELETE FROM {table} AS published
    USING differing
    WHERE differing.kind = 'closed' AND published.ctid = differing.published_at
),
changed AS (
    UPDATE {table} AS published
    SET {assignments}, changed_job_log_id = %(job_log_id)s
    FROM differing
    CROSS JOIN LATERAL (SELECT * FROM {staging} WHERE ctid = differing.staged_at OFFSET 0) AS staged
    WHERE differing.kind = 'changed' AND published.ctid = differing.published_at
),
added AS (
    INSERT INTO {table} ({columns}, first_job_log_id, changed_job_log_id)
    SELECT {staged_columns}, %(job_log_id)s, %(job_log_id)s
    FROM differing
    CROSS JOIN LATERAL (SELECT * FROM {staging} WHERE ctid = differing.staged_at OFFSET 0) AS staged
    WHERE differing.kind = 'new'
),
recorded AS (
    INSERT INTO open_order_changes (contract, job_log_id, kind, "key", before, after)
    SELECT
        %(contract)s, %(job_log_id)s, differing.kind, (SELECT to_jsonb(named) FROM (SELECT {named_key}) AS named),
        to_jsonb(published) - ARRAY['first_job_log_id', 'changed_job_log_id']
            - CASE WHEN differing.kind = 'changed' THEN ARRAY[{names_of_unchanged}] ELSE ARRAY[]::text[] END,
        to_jsonb(staged)
    FROM (SELECT * FROM differing LIMIT %(most)s) AS differing
    LEFT JOIN LATERAL (SELECT * FROM {table} WHERE ctid = differing.published_at OFFSET 0) AS published ON TRUE
    LEFT JOIN LATERAL (SELECT * FROM {staging} WHERE ctid = differing.staged_at OFFSET 0) AS staged ON TRUE
    ORDER BY array_position(ARRAY['closed', 'new', 'changed'], differing.kind), {either_key}
)
SELECT
    count(*) FILTER (WHERE kind = 'new') AS inserted,
    count(*) FILTER (WHERE kind = 'changed') AS updated,
    count(*) FILTER (WHERE kind = 'closed') AS deleted
FROM differing

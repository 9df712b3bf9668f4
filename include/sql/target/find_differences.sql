-- The rows in which staging and the published table differ, in one pass over both.
-- Identifiers: table, staging. Expressions from the contract over published and staged: same_key, no_published, no_staged,
--   published_values, staged_values.
-- Parameters: most_found bigint; NULL: all.
-- Result: rows: kind (new, changed, closed), and the places of the two: published_at, staged_at (tid; NULL where there is none).
SELECT
    CASE WHEN {no_published} THEN 'new' WHEN {no_staged} THEN 'closed' ELSE 'changed' END AS kind,
    published.ctid AS published_at, staged.ctid AS staged_at
FROM {staging} AS staged
FULL JOIN {table} AS published ON {same_key}
WHERE {no_published} OR {no_staged} OR ({published_values}) IS DISTINCT FROM ({staged_values})
LIMIT %(most_found)s

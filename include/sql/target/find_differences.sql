-- The rows in which staging and the published table differ.
-- Identifiers: table, staging. Expressions from the contract over published and staged: same_key, differs, kind.
-- Result: rows: kind (new, changed, closed), and the places of the two: published_at, staged_at (tid; NULL where there is none).
SELECT {kind} AS kind, published.ctid AS published_at, staged.ctid AS staged_at
FROM {staging} AS staged
FULL JOIN {table} AS published ON {same_key}
WHERE {differs}

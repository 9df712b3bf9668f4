-- The rows that find_differences found.
-- Parameters: kinds, published_at, staged_at: a text[] each.
-- Result: rows as those of find_differences.
SELECT kind, published_at, staged_at
FROM unnest(%(kinds)s::text[], %(published_at)s::text[]::tid[], %(staged_at)s::text[]::tid[]) AS found (kind, published_at, staged_at)

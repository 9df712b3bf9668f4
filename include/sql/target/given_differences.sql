-- The rows that compare found.
-- Parameters: places text[].
-- Result: rows as those of find_differences.
SELECT
    CASE WHEN published_at IS NULL THEN 'new' WHEN staged_at IS NULL THEN 'closed' ELSE 'changed' END AS kind,
    published_at, staged_at
FROM unnest(%(places)s::text[]) AS place
CROSS JOIN LATERAL (
    SELECT nullif(split_part(place, '>', 1), '')::tid AS published_at, nullif(split_part(place, '>', 2), '')::tid AS staged_at
) AS found

-- Keep the types of the columns that landed until their rows are published, and tell which differ from the last publish.
-- Parameters: contract text; names, types text[], one of each for a column.
-- Result: name, before, since (timestamptz), now; no row for a column that was never published.
-- Index: source_columns_pkey.
WITH landed AS (
    SELECT name, type
    FROM unnest(%(names)s::text[], %(types)s::text[]) AS given (name, type)
),
noted AS (
    INSERT INTO source_columns AS known (contract, name, fetched_type)
    SELECT %(contract)s, name, type
    FROM landed
    ON CONFLICT (contract, name) DO UPDATE
    SET fetched_type = excluded.fetched_type
    WHERE known.fetched_type <> excluded.fetched_type
)
SELECT landed.name, known.published_type AS before, known.published_since AS since, landed.type AS now
FROM landed
INNER JOIN source_columns AS known ON known.contract = %(contract)s AND known.name = landed.name
WHERE known.published_type <> landed.type
ORDER BY landed.name

-- The columns of a table: their types as a contract writes them, and which may be NULL.
-- Parameters: table text.
-- Result: one row: columns (JSON: name to [type, may be NULL]), "key" (names of the primary key's columns); both NULL
--   when this role sees no such table.
SELECT
    jsonb_object_agg(
        attribute.attname,
        jsonb_build_array(
            replace(
                pg_catalog.format_type(attribute.atttypid, attribute.atttypmod), 'timestamp without time zone', 'timestamp'
            ),
            NOT attribute.attnotnull
        )
    ) AS columns,
    array_agg(attribute.attname::text) FILTER (WHERE attribute.attnum = ANY (primary_key.indkey)) AS "key"
FROM pg_attribute AS attribute
LEFT JOIN pg_index AS primary_key ON primary_key.indrelid = attribute.attrelid AND primary_key.indisprimary
WHERE attribute.attrelid = to_regclass(quote_ident(%(table)s)) AND attribute.attnum > 0 AND NOT attribute.attisdropped

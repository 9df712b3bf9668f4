-- Tables, views and sequences of schema public that belong to another role than they should.
-- A sequence of a column follows its table.
-- Parameters: owner text; names text[], or NULL for all; belonging_to text: only what this role owns, or NULL.
-- Result: name, owner.
SELECT class.relname AS name, pg_get_userbyid(class.relowner) AS owner
FROM pg_class AS class
WHERE class.relnamespace = 'public'::regnamespace
    AND class.relkind IN ('r', 'p', 'v', 'm', 'S')
    AND (%(names)s::text[] IS NULL OR class.relname = ANY (%(names)s::text[]))
    AND pg_get_userbyid(class.relowner) <> %(owner)s
    AND (%(belonging_to)s::text IS NULL OR pg_get_userbyid(class.relowner) = %(belonging_to)s)
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = class.oid
            AND (deptype = 'e' OR (class.relkind = 'S' AND deptype IN ('a', 'i')))
    )
ORDER BY name

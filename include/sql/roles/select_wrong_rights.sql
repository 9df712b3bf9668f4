-- Rights on the database, on schema public and on tables in it that are not as they should be, wherever they come from.
-- Parameters: roles, objects, privileges text[] and wanted boolean[], as long as each other; an object is 'database',
--   'schema' or a table's name.
-- Result: role, object, privilege, wanted.
SELECT role, object, privilege, wanted
FROM unnest(%(roles)s::text[], %(objects)s::text[], %(privileges)s::text[], %(wanted)s::boolean[])
    AS expected (role, object, privilege, wanted)
WHERE wanted <> CASE object
        WHEN 'database' THEN has_database_privilege(role, current_database(), privilege)
        WHEN 'schema' THEN has_schema_privilege(role, 'public', privilege)
        ELSE has_table_privilege(role, format('public.%%I', object), privilege)
    END

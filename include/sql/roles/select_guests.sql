-- Roles of others that have to do with this database and have a right on it, if only as everybody has: owners of its
-- schemas, tables and views, and who was given a right on one of these.
-- Parameters: ours text[] (roles); privilege text (on the database).
-- Result: role.
WITH owned AS (
    SELECT oid AS namespace, nspowner AS owner, nspacl AS acl FROM pg_namespace
    UNION ALL
    SELECT relnamespace, relowner, relacl FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT class.relnamespace, class.relowner, attribute.attacl
    FROM pg_attribute AS attribute
    INNER JOIN pg_class AS class ON class.oid = attribute.attrelid
    WHERE attribute.attacl IS NOT NULL
),
guests AS (
    SELECT namespace, owner AS role FROM owned
    UNION
    SELECT owned.namespace, given.grantee FROM owned CROSS JOIN aclexplode(owned.acl) AS given
)
SELECT DISTINCT roles.rolname AS role
FROM guests
INNER JOIN pg_namespace AS namespace ON namespace.oid = guests.namespace
INNER JOIN pg_roles AS roles ON roles.oid = guests.role
WHERE namespace.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND roles.rolname NOT LIKE 'pg\_%%'
    AND roles.rolname <> ALL (%(ours)s::text[])
    AND has_database_privilege(roles.oid, current_database(), %(privilege)s)
ORDER BY role

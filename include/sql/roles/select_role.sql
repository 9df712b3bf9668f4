-- A role and what it may do beyond logging in.
-- Parameters: role text.
-- Result: one row if the role exists: powers (text[], the attributes that neither of our roles has).
SELECT array_remove(
    ARRAY[
        CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' END
    ],
    NULL
) AS powers
FROM pg_roles
WHERE rolname = %(role)s

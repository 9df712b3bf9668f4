-- Who may read a table only because default privileges give whatever its owner creates.
-- Parameters: tables text[].
-- Result: table_name, reader.
SELECT class.relname AS table_name, pg_get_userbyid(given.grantee) AS reader
FROM pg_class AS class
INNER JOIN pg_default_acl AS defaults
    ON defaults.defaclrole = class.relowner AND defaults.defaclobjtype = 'r'
    AND defaults.defaclnamespace IN (0, class.relnamespace)
CROSS JOIN aclexplode(defaults.defaclacl) AS given
WHERE class.relname = ANY (%(tables)s::text[]) AND pg_table_is_visible(class.oid)
    AND given.grantee NOT IN (0, class.relowner)
    AND EXISTS (SELECT FROM aclexplode(class.relacl) AS held WHERE held.grantee = given.grantee)

-- Let a role keep what it could do as everybody could.
-- Identifiers: database, role. Keyword: privilege.
GRANT {privilege} ON DATABASE {database} TO {role}

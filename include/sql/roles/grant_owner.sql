-- A role that connects and makes tables of its own in schema public, nothing else.
-- Identifiers: database, role.
REVOKE ALL ON DATABASE {database} FROM {role};
GRANT CONNECT ON DATABASE {database} TO {role};
REVOKE ALL ON SCHEMA public FROM {role};
GRANT USAGE, CREATE ON SCHEMA public TO {role}

-- Take from everybody what PostgreSQL gives everybody: to connect, to make temporary tables, and before
-- PostgreSQL 15 to make tables in schema public.
-- Identifiers: database.
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC

-- End the sessions of earlier attempts that outlived their process or their time: only one attempt may hold the tables.
-- Parameters: application_name text.
-- Result: one row for each session ended.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = %(application_name)s
    AND usename = current_user AND pid <> pg_backend_pid()

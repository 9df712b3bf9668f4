-- Who owns this database.
-- Result: one row: owner.
SELECT pg_get_userbyid(datdba) AS owner
FROM pg_database
WHERE datname = current_database()

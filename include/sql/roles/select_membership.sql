-- Whether the administrator may act for a role; a superuser may for all.
-- Parameters: role text.
-- Result: one row: is_member.
SELECT pg_has_role(%(role)s, 'USAGE') AND pg_has_role(%(role)s, 'SET') AS is_member

-- The end of that.
-- Identifiers: role.
REVOKE {role} FROM CURRENT_USER

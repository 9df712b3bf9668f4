-- An administrator who is no superuser acts for a role while it sets that role up.
-- Identifiers: role.
GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE

-- What the web role may read of the tables that there are already, whatever it could do with them before.
-- Identifiers: role; tables (all of ours), readable (those that pages read).
REVOKE ALL ON {tables} FROM {role};
GRANT SELECT ON {readable} TO {role}

-- Take back what default privileges gave.
-- Identifiers: relation, role.
REVOKE ALL ON {relation} FROM {role}

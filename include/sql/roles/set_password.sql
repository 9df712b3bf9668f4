-- The password of a role. Only its SCRAM verifier reaches the server, and the server's log.
-- Identifiers: role. Literal: verifier.
ALTER ROLE {role} PASSWORD {verifier}

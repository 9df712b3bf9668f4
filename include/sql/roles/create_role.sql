-- A role that can log in and nothing else; an administrator may change its connection limit later.
-- Identifiers: role. Literal: most (connections at the same time, -1 for any number).
CREATE ROLE {role} LOGIN CONNECTION LIMIT {most}

-- Hand a table, view or sequence over; indexes and the sequences of columns follow.
-- Identifiers: relation, owner.
ALTER TABLE {relation} OWNER TO {owner}

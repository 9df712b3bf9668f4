-- Hand the database itself over. Its owner may drop it and give away any right on it.
-- Identifiers: database, owner.
ALTER DATABASE {database} OWNER TO {owner}

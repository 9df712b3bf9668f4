-- Remove orders that are no longer open: published, but not staged.
-- Identifiers: table, staging. Expression from the contract: same_key (of published and staged).
-- Index: the primary keys of both.
DELETE FROM {table} AS published
WHERE NOT EXISTS (SELECT FROM {staging} AS staged WHERE {same_key})

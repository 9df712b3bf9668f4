-- Count staging, and find the rows in which it and the published table differ, in one pass over both that only reads: so
-- PostgreSQL may take more processes than one.
-- PostgreSQL needs some 100 bytes of memory for each row that differs.
-- Identifiers: table, staging. Expressions from the contract over published and staged: same_key, differs.
-- Parameters: most integer.
-- Result: one row: staged (rows), differing (rows), places (text[]: of at most so many of those `published > staged`,
--   a tid each; empty where there is none).
SELECT staged, coalesce(cardinality(places), 0)::bigint AS differing, coalesce(places[:%(most)s], '{{}}') AS places
FROM (
    SELECT
        count(staged.ctid) AS staged,
        array_agg(concat(published.ctid, '>', staged.ctid)) FILTER (WHERE {differs}) AS places
    FROM {staging} AS staged
    FULL JOIN {table} AS published ON {same_key}
) AS compared

-- The batches of a run with what became of them, and where in landing their rows are, for each import to read only those. An
-- index would cost a third of the time that landing takes.
-- Identifiers: landing, batches. Part: place_all, or place_sampled. Parameters: job_log_id bigint.
-- Result: rows: batch_no, first_row, last_row (bigint, numbers of rows), landed, imported, rejected (both NULL until the batch is imported), and as texts the places of
--   its first and last row without a reason in `unstorable`, and of those with one; NULL when there is none.
-- Index: the primary key of batches.
-- Materialized, or PostgreSQL, whose statistics are of an earlier run, would read landing again for each batch.
WITH place AS MATERIALIZED (
    {part}
)
SELECT
    batch_no, batches.first_row, batches.first_row + batches.landed - 1 AS last_row, batches.landed, batches.imported, batches.rejected,
    place.first::text, place.last::text, place.first_unstorable::text, place.last_unstorable::text
FROM {batches} AS batches
LEFT JOIN place USING (batch_no)
WHERE batches.job_log_id = %(job_log_id)s
ORDER BY batch_no

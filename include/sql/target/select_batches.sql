-- The batches of a run with what became of them, and where in landing their rows are: that reads landing once, and each
-- batch only its own part of it. An index would cost a third of the time that landing takes.
-- Identifiers: landing, batches. Parameters: job_log_id bigint.
-- Result: rows: batch_no, landed, imported, rejected (both NULL until the batch is imported), and as texts the places of
--   its first and last row without a reason in `unstorable`, and of those with one; NULL when there is none.
-- Index: the primary key of batches.
-- Materialized, or PostgreSQL, whose statistics are of an earlier run, would read landing again for each batch.
WITH place AS MATERIALIZED (
    SELECT
        batch_no,
        min(ctid) FILTER (WHERE unstorable IS NULL) AS first,
        max(ctid) FILTER (WHERE unstorable IS NULL) AS last,
        min(ctid) FILTER (WHERE unstorable IS NOT NULL) AS first_unstorable,
        max(ctid) FILTER (WHERE unstorable IS NOT NULL) AS last_unstorable
    FROM {landing}
    WHERE job_log_id = %(job_log_id)s
    GROUP BY batch_no
)
SELECT
    batch_no, batches.landed, batches.imported, batches.rejected,
    place.first::text, place.last::text, place.first_unstorable::text, place.last_unstorable::text
FROM {batches} AS batches
LEFT JOIN place USING (batch_no)
WHERE batches.job_log_id = %(job_log_id)s
ORDER BY batch_no

-- Where the rows of each batch are, which reads all of landing.
-- Identifiers: landing, batches. Parameters: job_log_id bigint.
-- Result: rows: batch_no, first, last, first_unstorable, last_unstorable (tid; NULL where there is none).
SELECT
    -- Batches count from 1, as the numbers of their first rows do here.
    width_bucket(
        row_no, ARRAY(SELECT first_row FROM {batches} WHERE job_log_id = %(job_log_id)s ORDER BY batch_no)
    ) AS batch_no,
    min(ctid) FILTER (WHERE unstorable IS NULL) AS first,
    max(ctid) FILTER (WHERE unstorable IS NULL) AS last,
    min(ctid) FILTER (WHERE unstorable IS NOT NULL) AS first_unstorable,
    max(ctid) FILTER (WHERE unstorable IS NOT NULL) AS last_unstorable
FROM {landing}
GROUP BY 1

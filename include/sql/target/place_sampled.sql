-- Between which places the rows of each batch are, from a look at every fiftieth page: good where no row was moved since they
-- landed, one after the other, as COPY into a table that the same transaction emptied puts them.
-- Identifiers: landing, batches. Parameters: job_log_id bigint.
-- Result: rows as those of place_all; a batch's places reach as far as the next page seen that is not its own.
SELECT
    batch_no, first_seen AS first, last_seen AS last, first_seen AS first_unstorable, last_seen AS last_unstorable
FROM (
    SELECT
        batch_no,
        coalesce(
            max(seen.last) OVER (ORDER BY batch_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '(0,0)'
        ) AS first_seen,
        -- Of the last batch the highest place that a table can have.
        coalesce(
            min(seen.first) OVER (ORDER BY batch_no DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
            '(4294967294,65535)'
        ) AS last_seen
    FROM {batches} AS batches
    LEFT JOIN (
        SELECT
            width_bucket(
                row_no, ARRAY(SELECT first_row FROM {batches} WHERE job_log_id = %(job_log_id)s ORDER BY batch_no)
            ) AS batch_no,
            min(ctid) AS first,
            max(ctid) AS last
        FROM {landing} TABLESAMPLE SYSTEM (2) REPEATABLE (0)
        GROUP BY 1
    ) AS seen USING (batch_no)
    WHERE batches.job_log_id = %(job_log_id)s
) AS found

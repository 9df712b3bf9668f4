-- Keep the rows of one batch that were not imported, with their reason; a row that comes again is counted.
-- Identifiers: landing. Expressions from the contract: reason, delivered (the columns as texts), is_valid.
-- Parameters: job_log_id, first_row, last_row bigint; contract text; first, last, first_unstorable, last_unstorable text (places:
--   rows that were marked as duplicates are elsewhere than the others).
-- Result: one row: rejected.
-- Index: rejected_orders_contract_fingerprint_key.
WITH rejected AS MATERIALIZED (
    SELECT {reason} AS reason, (SELECT to_jsonb(delivered) FROM (SELECT {delivered}) AS delivered) AS delivered
    FROM (
        SELECT * FROM {landing}
        WHERE ctid BETWEEN %(first)s::tid AND %(last)s::tid AND unstorable IS NULL
        UNION ALL
        SELECT * FROM {landing}
        WHERE ctid BETWEEN %(first_unstorable)s::tid AND %(last_unstorable)s::tid AND unstorable IS NOT NULL
    ) AS landed
    WHERE row_no BETWEEN %(first_row)s AND %(last_row)s AND NOT {is_valid}
),
saved AS (
    INSERT INTO rejected_orders AS known
        (contract, fingerprint, reason, "row", occurrences, first_job_log_id, last_job_log_id)
    SELECT
        %(contract)s, encode(sha256(convert_to(reason || delivered::text, 'UTF8')), 'hex'), reason, delivered,
        count(*), %(job_log_id)s, %(job_log_id)s
    FROM rejected
    GROUP BY reason, delivered
    -- In the same order in all sessions: what one of them holds, the others wait for.
    ORDER BY 2
    ON CONFLICT (contract, fingerprint) DO UPDATE
    SET occurrences = excluded.occurrences
            + CASE WHEN known.last_job_log_id = excluded.last_job_log_id THEN known.occurrences ELSE 0 END,
        last_job_log_id = excluded.last_job_log_id,
        last_seen_at = excluded.last_seen_at
)
SELECT count(*) AS rejected FROM rejected

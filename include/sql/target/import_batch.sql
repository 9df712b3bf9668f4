-- Move one batch from landing to staging: rows that keep the contract are cast, the others are saved with their reason.
-- Of rows with the same key the first one valid is imported.
-- Identifiers: landing, staging, columns, key. Expressions from the contract: casts, reason, duplicate_reason.
-- Parameters: job_log_id bigint; batch_no integer; contract text.
-- Result: one row: imported, rejected.
-- Index: landing (batch_no); the primary key of staging; rejected_orders_contract_fingerprint_key.
WITH checked AS MATERIALIZED (
    SELECT row_no, {columns}, {reason} AS reason
    FROM {landing}
    WHERE batch_no = %(batch_no)s AND job_log_id = %(job_log_id)s
),
imported AS (
    INSERT INTO {staging} (row_no, {columns})
    SELECT row_no, {casts}
    FROM checked
    WHERE reason = ''
    ORDER BY row_no
    ON CONFLICT ({key}) DO NOTHING
    RETURNING row_no
),
rejected AS MATERIALIZED (
    SELECT
        CASE WHEN reason = '' THEN {duplicate_reason} ELSE reason END AS reason,
        (SELECT to_jsonb(delivered) FROM (SELECT {columns}) AS delivered) AS delivered
    FROM checked
    WHERE NOT EXISTS (SELECT FROM imported WHERE imported.row_no = checked.row_no)
),
saved AS (
    INSERT INTO rejected_orders AS known
        (contract, fingerprint, reason, "row", occurrences, first_job_log_id, last_job_log_id)
    SELECT
        %(contract)s, encode(sha256(convert_to(reason || delivered::text, 'UTF8')), 'hex'), reason, delivered,
        count(*), %(job_log_id)s, %(job_log_id)s
    FROM rejected
    GROUP BY reason, delivered
    ON CONFLICT (contract, fingerprint) DO UPDATE
    SET occurrences = excluded.occurrences
            + CASE WHEN known.last_job_log_id = excluded.last_job_log_id THEN known.occurrences ELSE 0 END,
        last_job_log_id = excluded.last_job_log_id,
        last_seen_at = excluded.last_seen_at
)
SELECT (SELECT count(*) FROM imported) AS imported, (SELECT count(*) FROM rejected) AS rejected

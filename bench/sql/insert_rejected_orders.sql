-- Rows that broke the contract, one for fifty open orders; every second one the newest successful sync saw again.
-- Parameters: lines int (of open orders), job_log_id bigint (of the newest success).
INSERT INTO rejected_orders (contract, fingerprint, reason, row, occurrences, first_job_log_id, last_job_log_id)
SELECT
    'open_orders',
    md5(n::text),
    'quantity_open is no number: n/a',
    jsonb_build_object('order_number', 'SO-' || n, 'line_number', '3', 'customer_code', 'C1000', 'quantity_open', 'n/a'),
    1 + n %% 300,
    1,
    CASE WHEN n %% 2 = 0 THEN %(job_log_id)s ELSE 1 END
FROM generate_series(1, %(lines)s / 50) AS n

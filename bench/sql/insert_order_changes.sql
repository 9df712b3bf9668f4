-- What each of the newest successful syncs did: the newest one's changes as open_orders has them, and as many again for
-- each of nine before it; as many closed as changed.
-- Parameters: lines int (of open orders), job_log_id bigint (of the newest success).
WITH sync AS (
    SELECT id FROM job_logs
    WHERE status = 2 AND job_name = 'sync_open_orders' AND id <= %(job_log_id)s
    ORDER BY id DESC LIMIT 10
), touched AS (
    SELECT
        order_number,
        line_number,
        CASE WHEN first_job_log_id = changed_job_log_id THEN 'new' ELSE 'changed' END AS kind,
        to_jsonb(open_orders) - 'first_job_log_id' - 'changed_job_log_id' AS row
    FROM open_orders
    WHERE changed_job_log_id = %(job_log_id)s
    UNION ALL
    SELECT 'SO-' || n, 1, 'closed', jsonb_build_object('order_number', 'SO-' || n, 'line_number', 1, 'quantity_open', 7)
    FROM generate_series(1, %(lines)s / 200) AS n
)
INSERT INTO open_order_changes (contract, job_log_id, kind, key, before, after)
SELECT
    'open_orders',
    sync.id,
    kind,
    jsonb_build_object('order_number', order_number, 'line_number', line_number),
    CASE kind WHEN 'changed' THEN '{"quantity_open": 1}' WHEN 'closed' THEN row END,
    CASE WHEN kind <> 'closed' THEN row END
FROM sync CROSS JOIN touched
ORDER BY sync.id, array_position(ARRAY['new', 'changed', 'closed'], kind), order_number, line_number

-- What the logs of some ids said: per_log messages each, the largest log more; a warning in one log of five hundred.
-- Parameters: first bigint, last bigint, per_log int, largest bigint (id), largest_messages int.
INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message, created_at)
SELECT
    log.id,
    CASE WHEN log.status = 3 AND n > 5 THEN 'error' WHEN n = 8 AND log.id %% 500 = 7 THEN 'warning' ELSE 'info' END,
    CASE
        WHEN n < 6 THEN 'connect'
        WHEN n = 6 OR log.status = 3 THEN 'fetch'
        WHEN n = 7 THEN 'truncate'
        WHEN n < lines - 1 THEN 'import_batches'
        ELSE 'publish'
    END,
    1,
    CASE
        WHEN n = 1 THEN format('Job started - %%s (%%s)', log.job_name, log.trigger)
        WHEN n = 2 THEN 'Connecting to PostgreSQL orders.example:5432/orders'
        WHEN n = 3 THEN 'Connected: PostgreSQL 18.4, schema revision 0005 (0.02 s)'
        WHEN n = 4 THEN 'Connecting to SQL Server erp.example:1433/ERP'
        WHEN n = 5 THEN format('Connected: SQL Server 16.0 (0.%%s s)', 10 + log.id %% 80)
        WHEN log.status = 3 THEN format('Attempt %%s of 3 failed: %%s', 1 + n %% 3, log.error_summary)
        WHEN n = 6 THEN format('Fetched 10,%%s orders in 1.%%s s', 100 + log.id %% 800, log.id %% 10)
        WHEN n = 7 THEN 'Truncated staging table'
        WHEN n = 8 AND log.id %% 500 = 7 THEN format('Rejected SO-%%s line 3: quantity_open is no number: n/a', log.id)
        WHEN n = lines AND log.status = 2 THEN 'Job finished in 4.2 s'
        WHEN n = lines - 1 AND log.status = 2
            THEN format('Published 10,%%s orders: 12 new, 40 changed, 9 closed, 0 rejected', 100 + log.id %% 800)
        ELSE format('Batch %%s/%%s: imported 2,500 orders', n - 7, greatest(lines - 9, n - 7))
    END,
    log.started_at + n * (log.heartbeat_at - log.started_at) / lines
FROM (
    SELECT
        job_logs.*,
        CASE WHEN id = %(largest)s THEN %(largest_messages)s ELSE %(per_log)s END AS lines
    FROM job_logs
    WHERE id BETWEEN %(first)s AND %(last)s
) AS log
CROSS JOIN LATERAL generate_series(1, lines) AS n
ORDER BY log.id, n

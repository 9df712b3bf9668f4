-- The history of four jobs, back from now on, in the order in which it would have been written. About one log in a
-- hundred is an error; the newest sync is under way, two older ones died without closing their log.
-- A single log is a success of the sync, and less than a day's logs are the sync's alone.
-- Parameters: logs int.
WITH job (job_name, every, after) AS (
    VALUES
        ('sync_open_orders', interval '5 minutes', interval '0'),
        ('sync_prices', interval '30 minutes', interval '4 minutes'),
        ('maintain_job_logs', interval '1 hour', interval '17 minutes'),
        ('archive_orders', interval '1 day', interval '3 hours 2 minutes')
), due AS (
    SELECT
        job_name,
        at,
        row_number() OVER (ORDER BY at DESC) AS age,
        row_number() OVER (PARTITION BY job_name ORDER BY at DESC) AS age_in_job,
        abs(hashtext(job_name || at)::bigint) AS noise
    FROM job
    -- The four jobs make 361 logs a day.
    CROSS JOIN generate_series(
        date_trunc('day', now()) - (%(logs)s / 361 + 2) * interval '1 day' + after, now(), every
    ) AS at
    WHERE job_name = 'sync_open_orders' OR %(logs)s >= 361
), log AS (
    SELECT
        *,
        CASE
            WHEN %(logs)s = 1 THEN 2
            WHEN job_name = 'sync_open_orders' AND age_in_job IN (1, 30, 250) THEN 1
            WHEN noise %% 100 = 0 THEN 3
            ELSE 2
        END AS status,
        at + interval '1 second' AS started_at,
        -- Three to five seconds, one in two hundred ten times that.
        (3 + noise %% 2000 / 1000.0) * CASE WHEN noise / 7 %% 200 = 0 THEN 10 ELSE 1 END * interval '1 second' AS took
    FROM due
    WHERE age <= %(logs)s
)
INSERT INTO job_logs (
    name, job_name, status, dag_id, run_id, trigger, triggered_by, started_at, completed_at, run_started_at,
    succeeded_at, heartbeat_at, fetched, imported, rejected, inserted, updated, deleted, total_after, step, step_try,
    error_summary, created_at, updated_at
)
SELECT
    to_char(started_at, 'YYYYMMDD_HH24MISS'),
    job_name,
    status,
    job_name,
    CASE WHEN noise / 3 %% 50 = 0 THEN 'manual__' ELSE 'scheduled__' END || to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
    CASE WHEN noise / 3 %% 50 = 0 THEN 'manual' ELSE 'scheduled' END,
    CASE WHEN noise / 3 %% 50 = 0 THEN 'admin' END,
    started_at,
    CASE WHEN status > 1 THEN started_at + took END,
    at,
    CASE WHEN status = 2 THEN started_at + took END,
    started_at + took,
    CASE WHEN status = 2 THEN 10000 + noise %% 500 END,
    CASE WHEN status = 2 THEN 10000 + noise %% 500 END,
    CASE WHEN status = 2 THEN 0 END,
    CASE WHEN status = 2 THEN noise %% 20 END,
    CASE WHEN status = 2 THEN noise / 20 %% 60 END,
    CASE WHEN status = 2 THEN noise / 1200 %% 20 END,
    CASE WHEN status = 2 THEN 10000 + noise %% 500 END,
    CASE status WHEN 1 THEN 'import_batches' WHEN 2 THEN 'publish' ELSE 'fetch' END,
    1,
    CASE
        WHEN status <> 3 THEN NULL
        WHEN noise / 100 %% 5 = 0 THEN format('fetch: SQL Server closed the connection after %%s rows', noise %% 9000)
        WHEN noise / 100 %% 5 = 1 THEN format('connect: SQL Server 10.1.2.%%s:1433 did not answer', noise %% 250)
        WHEN noise / 100 %% 5 = 2 THEN format('publish: the source has %%s orders, half of those before', noise %% 5000)
        WHEN noise / 100 %% 5 = 3 THEN 'import_batches: The orders database kept a table locked for too long'
        ELSE format('fetch: Lock request time out period exceeded (session %%s)', noise %% 90)
    END,
    started_at,
    started_at + took
FROM log
ORDER BY started_at

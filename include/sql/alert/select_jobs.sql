-- The jobs that ever logged themselves, by a look at the index for each instead of at every job log.
-- Result: job_name; run_id of its newest log.
-- Index: job_logs_job_name_created_at_id_idx.
WITH RECURSIVE job AS (
    (SELECT job_name FROM job_logs ORDER BY job_name LIMIT 1)
    UNION ALL
    SELECT (SELECT job_name FROM job_logs WHERE job_logs.job_name > job.job_name ORDER BY job_name LIMIT 1)
    FROM job
    WHERE job.job_name IS NOT NULL
)
SELECT
    job_name,
    (
        SELECT run_id
        FROM job_logs
        WHERE job_logs.job_name = job.job_name
        ORDER BY created_at DESC, id DESC
        LIMIT 1
    ) AS run_id
FROM job
WHERE job_name IS NOT NULL

-- When each job last succeeded. Steps from one job to the next along the index.
-- Parameters: job_name text, or NULL for all jobs.
-- Result: job_name, completed_at, age_s (seconds since then); no row for a job that never succeeded.
-- Index: job_logs_job_name_created_at_id_idx, job_logs_job_name_status_created_at_id_idx.
WITH RECURSIVE jobs AS (
    SELECT coalesce(%(job_name)s::text, (SELECT min(job_name) FROM job_logs)) AS job_name
    UNION ALL
    SELECT (SELECT min(log.job_name) FROM job_logs AS log WHERE log.job_name > jobs.job_name)
    FROM jobs
    WHERE jobs.job_name IS NOT NULL AND %(job_name)s::text IS NULL
)
SELECT jobs.job_name, last.completed_at, extract(EPOCH FROM clock_timestamp() - last.completed_at)::float8 AS age_s
FROM jobs
CROSS JOIN LATERAL (
    SELECT completed_at
    FROM job_logs AS log
    WHERE log.job_name = jobs.job_name AND log.status = 2
    ORDER BY log.created_at DESC, log.id DESC
    LIMIT 1
) AS last

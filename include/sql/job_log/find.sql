-- The job log of a DAG run.
-- Parameters: dag_id text, run_id text.
-- Result: id, name, status, clear_number, run_started_at, error_summary; no row when the run has none.
-- Index: job_logs_dag_id_run_id_key.
SELECT id, name, status, clear_number, run_started_at, error_summary
FROM job_logs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- A new job log, unless its name or its DAG run is taken.
-- Parameters: name, job_name, dag_id, run_id, trigger, triggered_by text; clear_number integer;
--   started_at, run_started_at timestamptz.
-- Result: id, name, status, clear_number, run_started_at, error_summary of the new row; no row when something was taken.
-- Index: job_logs_name_key, job_logs_dag_id_run_id_key.
INSERT INTO job_logs (
    name, job_name, dag_id, run_id, clear_number, trigger, triggered_by, run_started_at, started_at, heartbeat_at
)
VALUES (
    %(name)s, %(job_name)s, %(dag_id)s, %(run_id)s, %(clear_number)s, %(trigger)s, %(triggered_by)s,
    %(run_started_at)s, %(started_at)s, %(started_at)s
)
ON CONFLICT DO NOTHING
RETURNING id, name, status, clear_number, run_started_at, error_summary

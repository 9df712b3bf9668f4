"""Look after all jobs, as the DAG `watch_jobs` does."""

from __future__ import annotations

from open_orders import alerts
from open_orders.execution import OUTSIDE
from open_orders.job_log_hook import JobLogHook
from open_orders.statements import load_statement


def look_after_all(log: JobLogHook) -> int:
    """Close dead job logs, look after every job that logs itself, report its metrics, and return how many there are.

    A job whose DAG Airflow no longer has is left alone. One that is a process of its own can fail and recover; when it
    should run, nobody knows.
    """
    for name in log.close_dead():
        log.log.info("Closed dead job log %s", name)
    with log.connect("open_orders watch") as connection:
        jobs = connection.execute(load_statement("alert/select_jobs")).fetchall()
    for job_name, run_id in jobs:
        outlook = log.execution.outlook(job_name)
        if outlook is not None or run_id.startswith(OUTSIDE):
            alerts.look_after(log, job_name, outlook)
    log.report_last_successes()
    return len(jobs)

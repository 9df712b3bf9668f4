"""Notice the jobs that nobody hears from, and send the alerts that wait.

**What it does.** Every five minutes it closes job logs whose run died, as `maintain_job_logs` does every hour, and
looks after every job that has logged itself: one that did not succeed for `OPEN_ORDERS_ALERT_AFTER_S` seconds, although
Airflow should have run it, is an alert, and so is one that failed without a callback that could tell. Alerts that could
not be delivered are tried again. It has no job log of its own, which would be every second one; what it has to say
about a job is in that job's.

**When it fails**, alerts are late; those about a run that ended come without it. Its own task log says why.

**How to re-run it.** Trigger it; it can run at any time and as often as you like. Whether anybody watches Airflow
itself is another question: `docs/alerts.md`, the dead-man's ping.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task


@dag(
    # Between two runs of the sync, which takes seconds.
    schedule="2-59/5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=4),
    default_args={"owner": "operations"},
    tags=["open orders"],
    doc_md=__doc__,
)
def watch_jobs() -> None:
    """Wire the one task."""

    @task(execution_timeout=timedelta(minutes=2))
    def look_after_jobs() -> int:
        from open_orders import job_watch
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().unlogged() as log:
            return job_watch.look_after_all(log)

    look_after_jobs()


watch_jobs()

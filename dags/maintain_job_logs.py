"""Close job logs whose run died without closing them, and delete what is older than what is kept.

**What it does.** A job log that is still new or processing although Airflow no longer runs its DAG run, or that had no
heartbeat for `OPEN_ORDERS_DEAD_AFTER_S` seconds, becomes an error with the time of its last sign of life. The sync does
the same for its own logs at each start; this DAG does it for every job that logs itself. Then messages, job logs and
rejected orders go that are older than the settings keep (docs/retention.md), in batches that hold up nobody.

**When it fails**, nothing is lost: the next run closes and deletes what this one did not.

**How to re-run it.** Trigger it; it can run at any time and as often as you like.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

from open_orders.sync_dag import close_failed, close_succeeded


@dag(
    schedule="17 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args={"owner": "operations", "retries": 1, "retry_delay": timedelta(seconds=30)},
    on_failure_callback=close_failed,
    on_success_callback=close_succeeded,
    tags=["open orders"],
    doc_md=__doc__,
)
def maintain_job_logs() -> None:
    """Wire the two tasks."""

    @task(execution_timeout=timedelta(minutes=2))
    def close_dead_logs() -> int:
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            closed = log.close_dead()
            log.detail(f"Closed {len(closed)} dead job logs{': ' if closed else ''}{', '.join(closed)}")
            return len(closed)

    @task(execution_timeout=timedelta(minutes=3))
    def delete_expired() -> int:
        from open_orders import retention
        from open_orders.job_log_hook import JobLogHook
        from open_orders.settings import load_settings

        with JobLogHook().job() as log:
            return retention.delete_expired(log, load_settings())

    close_dead_logs() >> delete_expired()


maintain_job_logs()

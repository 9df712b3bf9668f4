"""Close job logs whose run died without closing them.

**What it does.** A job log that is still new or processing although Airflow no longer runs its DAG run, or that had no
heartbeat for `OPEN_ORDERS_DEAD_AFTER_S` seconds, becomes an error with the time of its last sign of life. The sync does
the same for its own logs at each start; this DAG does it for every job that logs itself.

**When it fails**, nothing is lost: the next run closes what this one did not.

**How to re-run it.** Trigger it; it can run at any time and as often as you like.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task


@dag(
    schedule="17 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args={"owner": "operations", "retries": 1, "retry_delay": timedelta(seconds=30)},
    tags=["open orders"],
    doc_md=__doc__,
)
def maintain_job_logs() -> None:
    """Wire the one task."""

    @task(execution_timeout=timedelta(minutes=2))
    def close_dead_logs() -> int:
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().job() as log:
            closed = log.close_dead()
            log.detail(f"Closed {len(closed)} dead job logs{': ' if closed else ''}{', '.join(closed)}")
            return len(closed)

    close_dead_logs()


maintain_job_logs()

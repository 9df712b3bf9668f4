"""Count the open orders that are overdue, and log that as a job of its own: a DAG of two tasks and any purpose.

**What it does.** `count` counts, `report` closes the job log as success.

**When it fails**, nothing is lost: the next run counts again.

**How to re-run it.** Trigger it, as often as you like.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

from open_orders.sync_dag import close_failed, close_succeeded


@dag(
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args={"owner": "operations", "retries": 1, "execution_timeout": timedelta(minutes=2)},
    on_failure_callback=close_failed,
    on_success_callback=close_succeeded,
    doc_md=__doc__,
)
def count_overdue_orders() -> None:
    """Wire the two tasks."""

    @task
    def count() -> int:
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            with log.connect("count overdue orders") as connection:
                row = connection.execute("SELECT count(*) FROM open_orders WHERE due_date < current_date").fetchone()
            overdue = int(row[0]) if row else 0
            log.detail(f"{overdue:,} open order lines are overdue", "warning" if overdue else "info")
            return overdue

    @task
    def report(overdue: int) -> None:
        from open_orders.job_log_hook import JobLogHook
        from open_orders.job_log_store import Counts

        with JobLogHook().step() as log:
            log.succeed(Counts(fetched=overdue))

    report(count())


count_overdue_orders()

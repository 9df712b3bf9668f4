"""Copy the open orders of the ERP (SQL Server) into the table `open_orders` (PostgreSQL).

**What it does.** `connect` opens the job log and checks both databases, `fetch` streams the source query
(`include/sql/source/open_orders.sql`) into a landing table, `truncate` empties staging, `import_batches` validates and
casts batch by batch, and `publish` makes staging the new `open_orders` in one transaction together with the job log's
success. Readers never see a half-loaded table.

**When it fails**, `open_orders` stays as the last successful run left it. The job log (page *Job Logs*) says which step
failed and why; the task logs have the exception. Nothing has to be cleaned up: the next run, five minutes later, starts
afresh.

**How to re-run it.** Trigger it, here or with `airflow dags trigger sync_open_orders`, or clear the failed task
together with those after it; a cleared run continues its job log. A run that refused to publish because the source
looked wrong says which parameter of the trigger form lets it pass.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, Param, dag, get_current_context, task

from open_orders.contract import OPEN_ORDERS
from open_orders.settings import PARAMETERS, load_settings, read_parameters

SOURCE_CONNECTION = "erp_mssql"
DEFAULTS: dict[str, Any] = load_settings().model_dump(include=set(PARAMETERS))


def close_failed(context: Any) -> None:
    """Close the job log of a run that failed and whose tasks could not: Airflow calls this in the DAG processor."""
    _close(context, succeeded=False)


def close_succeeded(context: Any) -> None:
    """Close the job log of a run that succeeded without its last step, as after clearing some of its tasks."""
    _close(context, succeeded=True)


def _close(context: Any, *, succeeded: bool) -> None:
    from open_orders.execution import RunEnd
    from open_orders.job_log_hook import JobLogHook

    end = RunEnd.from_context(context)
    JobLogHook().close_run(end.dag_id, end.run_id, end.clear_number, end.summary, succeeded=succeeded)


@dag(
    schedule="*/5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=4, seconds=45),
    default_args={
        "owner": "operations",
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
        "execution_timeout": timedelta(seconds=60),
    },
    params={
        "batch_size": Param(
            DEFAULTS["batch_size"],
            type="integer",
            minimum=1,
            maximum=1_000_000,
            title="Batch size",
            description="Orders imported per batch, each batch in a transaction of its own",
        ),
        "allow_empty": Param(
            DEFAULTS["allow_empty"],
            type="boolean",
            title="Allow an empty source",
            description="Publish even if the source has no open orders at all; otherwise such a run fails",
        ),
        "max_drop_share": Param(
            DEFAULTS["max_drop_share"],
            type="number",
            minimum=0,
            maximum=1,
            title="Largest drop",
            description="Refuse to publish if more than this share of the orders would disappear (0.5: half)",
        ),
    },
    on_failure_callback=close_failed,
    on_success_callback=close_succeeded,
    tags=["open orders"],
    doc_md=__doc__,
)
def sync_open_orders() -> None:
    """Wire the five steps."""

    @task
    def connect() -> None:
        from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            sync.connect(log, MsSqlHook(SOURCE_CONNECTION), get_current_context()["params"], load_settings())

    @task
    def fetch() -> int:
        from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            parameters = read_parameters(get_current_context()["params"], load_settings())
            return sync.fetch(log, MsSqlHook(SOURCE_CONNECTION), OPEN_ORDERS, parameters)

    @task
    def truncate() -> None:
        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            sync.truncate(log, OPEN_ORDERS)

    @task
    def import_batches() -> int:
        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            return sync.import_batches(log, OPEN_ORDERS)

    @task(outlets=[Asset(OPEN_ORDERS.table)])
    def publish() -> int:
        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            parameters = read_parameters(get_current_context()["params"], load_settings())
            return sync.publish(log, OPEN_ORDERS, load_settings(), parameters)

    connect() >> fetch() >> truncate() >> import_batches() >> publish()


sync_open_orders()

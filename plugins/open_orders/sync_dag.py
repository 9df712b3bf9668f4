"""What the DAG files of all syncs share: the options of the DAG, and its five steps.

A DAG file says what differs (`docs/second_job.md`). Airflow parses such a file again and again, so nothing heavy is
imported here before a task runs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Asset, Param, chain, get_current_context, task

from open_orders.contract import Contract
from open_orders.settings import Settings, load_settings, read_parameters

if TYPE_CHECKING:
    from airflow.sdk import DAG


def close_failed(context: Any) -> None:
    """Close the job log of a run that failed and whose tasks could not: Airflow calls this in the DAG processor."""
    from open_orders import run_end

    run_end.close(context, succeeded=False)


def close_succeeded(context: Any) -> None:
    """Close the job log of a run that succeeded without its last step, as after clearing some of its tasks."""
    from open_orders import run_end

    run_end.close(context, succeeded=True)


def sync_options(*, schedule: str, doc_md: str | None) -> dict[str, Any]:
    """Return the arguments of `@dag` for a sync.

    A run in which one step uses up all its attempts ends within five minutes, and no second one runs beside it.
    """
    return {
        "schedule": schedule,
        "start_date": datetime(2026, 1, 1, tzinfo=UTC),
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(minutes=4, seconds=45),
        "default_args": {
            "owner": "operations",
            "retries": 2,
            "retry_delay": timedelta(seconds=5),
            "execution_timeout": timedelta(seconds=60),
        },
        "on_failure_callback": close_failed,
        "on_success_callback": close_succeeded,
        "tags": ["open orders"],
        "doc_md": doc_md,
    }


def _params(contract: Contract, defaults: Settings) -> dict[str, Param]:
    """Return what can be set for a single run: `open_orders.settings.PARAMETERS`."""
    rows = f"{contract.noun}s"
    return {
        "batch_size": Param(
            defaults.batch_size,
            type="integer",
            minimum=1,
            maximum=1_000_000,
            title="Batch size",
            description=f"{rows.capitalize()} imported per batch, each batch in a transaction of its own",
        ),
        "allow_empty": Param(
            defaults.allow_empty,
            type="boolean",
            title="Allow an empty source",
            description=f"Publish even if the source has no {rows} at all; otherwise such a run fails",
        ),
        "max_drop_share": Param(
            defaults.max_drop_share,
            type="number",
            minimum=0,
            maximum=1,
            title="Largest drop",
            description=f"Refuse to publish if more than this share of the {rows} would disappear (0.5: half)",
        ),
    }


def sync_steps(contract: Contract, *, source_connection: str) -> None:
    """Add the five steps and the parameters to the DAG that is being defined; raises SettingsError for a bad default.

    They read from the Airflow connection of that name. Their counts are in the job log: as XComs nobody would read
    them, and each would be one more request to Airflow.
    """
    table = contract.table

    @task
    def connect() -> None:
        from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

        from open_orders import dead_mans_ping, sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            dead_mans_ping.report_start(log)
            params = get_current_context()["params"]
            sync.connect(log, MsSqlHook(source_connection), contract, params, load_settings(table))

    @task
    def fetch() -> None:
        from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            parameters = read_parameters(get_current_context()["params"], load_settings(table))
            sync.fetch(log, MsSqlHook(source_connection), contract, parameters)

    @task
    def truncate() -> None:
        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            sync.truncate(log, contract)

    @task
    def import_batches() -> None:
        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            sync.import_batches(log, contract)

    @task(outlets=[Asset(table)])
    def publish() -> None:
        from open_orders import sync
        from open_orders.job_log_hook import JobLogHook

        with JobLogHook().step() as log:
            parameters = read_parameters(get_current_context()["params"], load_settings(table))
            sync.publish(log, contract, load_settings(table), parameters)

    steps = [connect(), fetch(), truncate(), import_batches(), publish()]
    chain(*steps)
    operators = [operator for step in steps for operator, _key in step.iter_references()]
    for operator in operators:
        # There is nothing to fill in, and Airflow would store for each attempt what that came to.
        operator.template_fields = ()
    # Not an argument of the DAG: each task would then have copies of its own, and Airflow check those some thirty times
    # for each file that it parses, which takes a quarter longer.
    cast("DAG", operators[-1].dag).params.update(_params(contract, load_settings(table)))

"""The run that the quickstart triggers and shows."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.airflow_api import AirflowApi, is_due
from sandbox.job_log import Outcome, follow_run, list_outcomes
from sandbox.progress import Command, announce, say

DAG_ID = "sync_open_orders"
DAG_TIMEOUT_S = 90.0
# The longest that a run may wait for the one before it, both with five minutes.
QUIET_TIMEOUT_S = 600.0
# The job log's end comes before Airflow's own.
END_TIMEOUT_S = 20.0
# Triggering takes a few seconds, in which no scheduled run shall come first.
MARGIN = timedelta(seconds=10)


def show_first_run(
    api: AirflowApi,
    environment: Mapping[str, str],
    conninfo: str,
    logs_dir: Path,
    change_source: Callable[[], None],
) -> Outcome:
    """Unpause and trigger the DAG, print its job log as it grows, return how it ended.

    Args:
        api: the running Airflow.
        environment: of Airflow's command line.
        conninfo: of the orders database.
        logs_dir: where the commands' output goes.
        change_source: called when nothing runs, so that this run is the one that finds the changes.
    """
    began = datetime.now(UTC)
    run_id = f"quickstart__{began:%Y-%m-%dT%H:%M:%S}"
    with announce(f"DAG {DAG_ID} read"):
        dag = api.await_dag(DAG_ID, DAG_TIMEOUT_S)
    with ExitStack() as cleanup:
        unpause = None
        if dag["is_paused"]:
            unpause = Command(
                "DAG unpaused",
                ["-m", "airflow", "dags", "unpause", DAG_ID],
                environment,
                logs_dir / "unpause.log",
            )
            cleanup.callback(unpause.stop)
        if unpause is None or is_due(dag, MARGIN):
            # A new DAG, and one that was off for a while, has a scheduled run due, which comes at once.
            if unpause is not None:
                unpause.wait()
            with announce("Scheduled runs that are due"):
                api.await_quiet(DAG_ID, MARGIN, QUIET_TIMEOUT_S)
            for earlier in list_outcomes(conninfo, DAG_ID, began):
                say(f"    {earlier}")
            unpause = None
        change_source()
        trigger = Command(
            "Run triggered",
            ["-m", "airflow", "dags", "trigger", DAG_ID, "--run-id", run_id],
            environment,
            logs_dir / "trigger.log",
        )
        cleanup.callback(trigger.stop)
        if unpause is not None:
            unpause.wait()
        trigger.wait()
    say(f"\n  Job log of run {run_id} (times in UTC):")
    outcome = follow_run(conninfo, DAG_ID, run_id, read_run_state=lambda: api.read_run_state(DAG_ID, run_id), say=say)
    # Stopped before, Airflow would take the run for a running one at the next start, and wait for it.
    api.await_run_end(DAG_ID, run_id, END_TIMEOUT_S)
    say(f"\n  {outcome}\n")
    return outcome

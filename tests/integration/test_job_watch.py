"""The watch over all jobs: those that nobody hears from, dead logs, alerts that wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError
from airflow.sdk.execution_time.comms import ErrorResponse

from open_orders import job_watch
from open_orders.execution import OUTSIDE, Execution, RunState
from open_orders.job_log_hook import JobLogHook
from open_orders.job_standing import Outlook
from tests.integration.ended_runs import Job
from tests.integration.receiver import Receiver

Database = psycopg.Connection[Any]
JOB = "sync_open_orders"


def watch(outlooks: dict[str, Outlook], run_state: RunState = RunState.ACTIVE) -> int:
    execution = Execution(
        dag_id="watch_jobs", run_id="w", trigger="scheduled", triggered_by=None, clear_number=0, run_started_at=None,
        step="look_after_jobs", attempt=1, attempts=1, run_state=lambda *_: run_state, outlook=outlooks.get,
    )  # fmt: skip
    with JobLogHook().unlogged(execution) as log:
        return job_watch.look_after_all(log)


def outlook(*, is_paused: bool = False) -> Outlook:
    return Outlook(is_paused, datetime.now(UTC) + timedelta(minutes=1))


def pass_time(orders: Database, minutes: int) -> None:
    """Let everything have happened so much earlier."""
    for table, columns in (
        ("job_alerts", ("due_since", "due_at", "since", "claimed_at")),
        ("job_logs", ("completed_at",)),
    ):
        changes = ", ".join(f"{column} = {column} - %(time)s" for column in columns)
        orders.execute(f"UPDATE {table} SET {changes}", {"time": timedelta(minutes=minutes)})


def test_job_that_does_not_run_is_one_alert_and_its_next_success_another(
    orders: Database, job: Job, receiver: Receiver
) -> None:
    job.run()
    watch({JOB: outlook()})
    pass_time(orders, 14)
    watch({JOB: outlook()})
    assert receiver.requests == []
    pass_time(orders, 2)
    watch({JOB: outlook()})
    pass_time(orders, 5)
    watch({JOB: outlook()})
    assert receiver.titles == [f"{JOB} did not succeed for 15 minutes"]
    assert "Why: no run began; is Airflow's scheduler at work?" in receiver.requests[0].body["message"]
    job.run()
    watch({JOB: outlook()})
    assert receiver.titles[1:] == [f"{JOB} works again"]


@pytest.mark.parametrize("expected", [None, outlook(is_paused=True), Outlook(is_paused=False, next_run_at=None)])
def test_nobody_expects_a_job_that_airflow_does_not_have_is_paused_or_has_no_schedule(
    orders: Database, job: Job, receiver: Receiver, expected: Outlook | None
) -> None:
    job.run()
    outlooks = {JOB: expected} if expected else {}
    watch(outlooks)
    pass_time(orders, 60)
    assert watch(outlooks) == 1
    assert receiver.requests == []


def test_run_that_died_is_closed_and_told_by_the_watch(
    orders: Database, receiver: Receiver, execution: Callable[..., Execution]
) -> None:
    JobLogHook().open(execution(run_id="died"))
    watch({JOB: outlook()}, RunState.OVER)
    assert orders.execute("SELECT status FROM job_logs").fetchone() == (3,)
    assert receiver.titles == [f"{JOB} failed"]
    [message] = [row[0] for row in orders.execute("SELECT message FROM job_log_details WHERE level = 'error'")]
    assert message.startswith("Interrupted: no sign of life since")
    assert message.endswith("; closed by watch_jobs")


def test_alert_that_waits_is_sent_by_the_watch(orders: Database, job: Job, receiver: Receiver) -> None:
    receiver.status = 500
    job.run("too little")
    receiver.status = 200
    watch({JOB: outlook()})
    assert len(receiver.requests) == 1
    pass_time(orders, 2)
    watch({JOB: outlook()})
    watch({JOB: outlook()})
    assert receiver.titles == [f"{JOB} failed"] * 2


def test_each_job_is_looked_after_and_the_watch_logs_nothing(orders: Database, job: Job, receiver: Receiver) -> None:
    jobs = ["a", "maintain_job_logs", JOB]
    for name in jobs:
        job.run(dag_id=name)
        job.run(dag_id=name)
    before = orders.execute("SELECT count(*) FROM job_log_details").fetchone()
    assert watch({name: outlook() for name in jobs}) == 3
    assert orders.execute("SELECT count(*) FROM job_log_details").fetchone() == before
    assert orders.execute("SELECT job_name FROM job_alerts ORDER BY 1").fetchall() == [(name,) for name in jobs]


def test_process_outside_of_airflow_can_fail_and_recover(job: Job, receiver: Receiver) -> None:
    for reason in ("the disk is full", None):
        job.run(reason, calls_back=False, dag_id="airflow_history", run_id=f"{OUTSIDE}{reason}")
        watch({})
    assert receiver.titles == ["airflow_history failed", "airflow_history works again"]


def test_watch_over_nothing_does_nothing(orders: Database) -> None:
    assert watch({}) == 0


def test_database_that_is_not_migrated_fails_the_watch_at_once(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", empty_dsn.replace("postgresql://", "postgres://"))
    with pytest.raises(AirflowFailException, match="bin/migrate"):
        watch({})


def test_outlook_is_what_airflow_says_of_the_dag() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    def get_dag(dag_id: str) -> Any:
        if dag_id != JOB:
            raise AirflowRuntimeError(ErrorResponse())
        return SimpleNamespace(is_paused=True, next_dagrun=at)

    task_instance = SimpleNamespace(
        task_id="t", try_number=1, max_tries=0, task=SimpleNamespace(execution_timeout=None), get_dag=get_dag
    )
    run = SimpleNamespace(dag_id="watch_jobs", run_id="r", run_type="scheduled")
    execution = Execution.from_context({"dag_run": run, "ti": task_instance})  # type: ignore[typeddict-item]
    assert execution.outlook(JOB) == Outlook(is_paused=True, next_run_at=at)
    assert execution.outlook("gone") is None

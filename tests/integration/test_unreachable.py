"""Alerts while the orders database, which knows what people were told, is away."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from unittest.mock import create_autospec

import psycopg
import pytest
from airflow.sdk import Variable

from open_orders import run_end, unreachable
from open_orders.execution import Execution
from tests.integration.ended_runs import Job
from tests.integration.receiver import Receiver

Database = psycopg.Connection[Any]
JOB = "sync_open_orders"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what Airflow keeps, which is out of reach of a process that Airflow did not start."""
    kept: dict[str, Any] = {}
    variable = create_autospec(Variable)
    variable.get.side_effect = lambda key, default=None, **_: kept.get(key, default)
    variable.set.side_effect = lambda key, value, *_, **__: kept.__setitem__(key, value)
    variable.delete.side_effect = kept.pop
    monkeypatch.setattr(unreachable, "Variable", variable)
    return kept


@pytest.fixture
def fail_without_database(
    job: Job, unused_port: int, execution: Callable[..., Execution], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Return what lets a run end as failed while the database refuses connections."""

    def fail(port: int = unused_port) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_ORDERS_DB", f"postgres://somebody:secret@127.0.0.1:{port}/orders")
            with pytest.raises(psycopg.OperationalError):
                job.end(execution(run_id="without a log"), succeeded=False)

    return fail


def test_outage_of_the_database_is_one_alert_and_its_end_another(
    job: Job, receiver: Receiver, fail_without_database: Callable[[], None], variables: dict[str, Any]
) -> None:
    for _ in range(3):
        fail_without_database()
    assert receiver.titles == [f"{JOB} failed"]
    message = receiver.requests[0].body["message"]
    assert "What: sync_open_orders failed, and could not write its job log" in message
    assert "Why: The orders database can't be reached or closed the connection" in message
    assert message.endswith("Run: https://airflow.example/dags/sync_open_orders/runs/without%20a%20log")
    job.run()
    assert receiver.titles == [f"{JOB} failed", f"{JOB} works again"]
    assert "before: The orders database can't be reached" in receiver.requests[1].body["message"]
    assert variables == {}


def test_outage_that_goes_on_as_another_failure_is_no_news(
    job: Job, receiver: Receiver, fail_without_database: Callable[[], None]
) -> None:
    fail_without_database()
    job.run("too little")
    assert receiver.titles == [f"{JOB} failed"]
    fail_without_database()
    assert receiver.titles == [f"{JOB} failed"] * 2, "what the database knows it can't say"
    job.run()
    assert receiver.titles[2:] == [f"{JOB} works again"]


def test_number_of_failures_counts_there_too(
    job: Job,
    receiver: Receiver,
    fail_without_database: Callable[[], None],
    variables: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPEN_ORDERS_ALERT_AFTER_FAILURES", "2")
    fail_without_database()
    job.run()
    assert receiver.requests == []
    assert variables == {}
    fail_without_database()
    fail_without_database()
    assert receiver.titles == [f"{JOB} failed"]


def test_alert_that_reaches_nobody_is_tried_again(
    receiver: Receiver, fail_without_database: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    fail_without_database()
    assert "Alert not delivered, attempt 1 of 10" in caplog.text
    receiver.status = 200
    fail_without_database()
    fail_without_database()
    assert len(receiver.requests) == 2


def test_database_that_says_nothing_is_given_up_before_the_callback_is(
    receiver: Receiver, fail_without_database: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_end, "CONNECT_LIMIT_S", 2)
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fail_without_database(silent.getsockname()[1])
    assert "timeout" in receiver.requests[0].body["message"]
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)

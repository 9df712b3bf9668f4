"""The dead-man's ping, to a service that is there, is not, or says nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from open_orders import dead_mans_ping, masking
from open_orders.dead_mans_ping import ping, report_start
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from tests.integration.ended_runs import Job
from tests.integration.receiver import TOKEN, Receiver

Database = psycopg.Connection[Any]
JOB = "sync_open_orders"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Yield a service to which the connection of the sync leads."""
    with Receiver() as service:
        connect(monkeypatch, service.url)
        yield service


def connect(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PING_SYNC_OPEN_ORDERS", json.dumps({"conn_type": "generic", "password": password}))


def paths(service: Receiver) -> list[str]:
    return [request.path for request in service.requests]


def warnings(orders: Database) -> list[str]:
    statement = "SELECT message FROM job_log_details WHERE level = 'warning' ORDER BY created_at, id"
    return [row[0] for row in orders.execute(statement)]


def test_start_success_and_failure_are_pinged_as_healthchecks_has_it(
    job: Job, service: Receiver, execution: Callable[..., Execution]
) -> None:
    log = JobLogHook()
    with log.job(execution()):
        report_start(log)
    job.end(log.execution, succeeded=True)
    job.run("too little")
    assert paths(service) == [f"/{TOKEN}/start", f"/{TOKEN}", f"/{TOKEN}/fail"]
    assert {request.method for request in service.requests} == {"GET"}


def test_attempt_that_is_a_repetition_does_not_ping_again(
    orders_dsn: str, service: Receiver, execution: Callable[..., Execution]
) -> None:
    with JobLogHook().step(execution(attempt=2)) as log:
        report_start(log)
    assert service.requests == []


def test_each_moment_can_have_an_address_of_its_own_or_none(service: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, f"-\n{service.url}/up {service.url}/down?x=1")
    assert [ping(JOB, moment) for moment in dead_mans_ping.MOMENTS] == [None, None, None]
    assert paths(service) == [f"/{TOKEN}/up", f"/{TOKEN}/down?x=1"]


def test_without_a_connection_nothing_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ping(JOB, "success") is None


@pytest.mark.parametrize("password", ["", "https://a.example https://b.example"])
def test_neither_one_nor_three_addresses_are_a_warning(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, password)
    assert "is expected to be one address or three" in str(ping(JOB, "success"))


def test_ping_that_is_refused_is_a_warning_in_the_job_log(orders: Database, job: Job, service: Receiver) -> None:
    service.status = 404
    job.run("too little")
    job.run()
    assert warnings(orders) == [
        "The dead-man's ping (fail) was not heard: it was answered 404 Not Found",
        "The dead-man's ping (success) was not heard: it was answered 404 Not Found",
    ]
    assert orders.execute("SELECT status FROM job_logs ORDER BY id").fetchall() == [(3,), (2,)]


def test_service_that_says_nothing_holds_nobody_up(
    orders: Database, service: Receiver, execution: Callable[..., Execution], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_mans_ping, "LIMIT_S", 0.2)
    service.hangs = True
    with JobLogHook().job(execution()) as log:
        report_start(log)
    [warning] = warnings(orders)
    assert warning.startswith("The dead-man's ping (start) was not heard: ")
    assert orders.execute("SELECT status FROM job_logs").fetchall() == [(2,)]


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/{token}", "nonsense/{token}", "http://[/{token}"])
def test_address_is_a_secret_that_no_message_has(
    orders: Database,
    job: Job,
    unused_port: int,
    address: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masking, "_spellings", set())
    caplog.set_level("DEBUG", "httpx")
    connect(monkeypatch, address.format(port=unused_port, token=TOKEN))
    job.run("too little")
    [warning] = warnings(orders)
    assert warning.startswith("The dead-man's ping (fail) was not heard: ")
    assert TOKEN not in "".join((warning, *capfd.readouterr(), caplog.text))

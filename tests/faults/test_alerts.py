"""Alerts and pings of a whole deployment, whose connections a person entered in Airflow."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.faults.plant import DAG, Plant
from tests.integration.receiver import TOKEN, Receiver

pytestmark = pytest.mark.full
PATIENCE_S = 90
# Longer than from one callback to the next, on a busy machine.
QUIET_S = 10


@pytest.fixture
def service(plant: Plant) -> Iterator[Receiver]:
    """Yield what is pinged by a deployment in which all is well."""
    plant.recover()
    with (
        Receiver() as service,
        with_connection(plant, f"ping_{DAG}", conn_type="generic", password=service.url),
    ):
        run(plant, "success")
        await_last_ping(plant, service)
        plant.await_true(lambda: state(plant) == "well", PATIENCE_S, "that all is well")
        service.requests.clear()
        yield service


@pytest.fixture
def receiver(plant: Plant, service: Receiver) -> Iterator[Receiver]:
    """Yield what gets the alerts."""
    # What an earlier test left undelivered.
    plant.execute("UPDATE job_alerts SET title = NULL")
    with Receiver() as receiver:
        config = [{"path": f"json://127.0.0.1:{receiver.port}/{TOKEN}"}]
        with with_connection(plant, "alerts", conn_type="apprise", extra=json.dumps({"config": config})):
            yield receiver


@contextmanager
def with_connection(plant: Plant, name: str, **values: Any) -> Iterator[None]:
    plant.call("POST", "connections", {"connection_id": name, **values})
    try:
        yield
    finally:
        plant.call("DELETE", f"connections/{name}")


def run(plant: Plant, ends: str) -> str:
    run_id = f"alert_{uuid4()}"
    plant.trigger(run_id)
    assert plant.await_run_end(run_id) == ends, plant.messages_of(run_id)
    return run_id


def state(plant: Plant) -> str | None:
    found = plant.query("SELECT state FROM job_alerts WHERE job_name = %s", DAG)
    return str(found[0]["state"]) if found else None


def await_alerts(plant: Plant, receiver: Receiver, *titles: str) -> None:
    plant.await_true(lambda: len(receiver.requests) >= len(titles), PATIENCE_S, f"the alerts {titles}")
    assert tuple(receiver.titles) == titles


def await_last_ping(plant: Plant, service: Receiver) -> None:
    """Return when the run's success was heard, and with it those of runs before whose callbacks were late."""

    def is_quiet() -> bool:
        heard = [request.path for request in service.requests]
        time.sleep(QUIET_S)
        return f"/{TOKEN}/start" in heard and heard[-1] == f"/{TOKEN}" and len(heard) == len(service.requests)

    plant.await_true(is_quiet, PATIENCE_S, "the ping of the run's success")


def await_pings(plant: Plant, service: Receiver, *endings: str) -> None:
    plant.await_true(lambda: len(service.requests) >= len(endings), PATIENCE_S, f"the pings {endings}")
    assert [request.path for request in service.requests] == [f"/{TOKEN}{ending}" for ending in endings]


def test_failed_run_sends_one_alert_and_a_ping_and_so_does_the_recovery(
    plant: Plant, receiver: Receiver, service: Receiver
) -> None:
    plant.misbehave('{"refuse_logins": true}')
    failed = run(plant, "failed")
    await_alerts(plant, receiver, f"{DAG} failed")
    await_pings(plant, service, "/start", "/fail")
    name = plant.log_of(failed)["name"]
    message = receiver.requests[0].body["message"]
    assert "refused the login" in message
    assert message.endswith(f"Job log: {plant.airflow.url}/job_logs/{name}")
    run(plant, "failed")
    await_pings(plant, service, "/start", "/fail", "/start", "/fail")
    plant.misbehave(None)
    run(plant, "success")
    await_alerts(plant, receiver, f"{DAG} failed", f"{DAG} works again")
    await_pings(plant, service, "/start", "/fail", "/start", "/fail", "/start", "")
    assert f"Alert sent: {DAG} failed" in plant.messages_of(failed)
    written = [row["message"] for row in plant.query("SELECT message FROM job_log_details")]
    written += [file.read_text(errors="replace") for file in plant.state.logs_dir.rglob("*.log")]
    assert len(written) > 20
    assert [text for text in written if TOKEN in text] == []


def test_receivers_that_are_gone_are_warnings_in_the_job_log_and_nothing_more(
    plant: Plant, receiver: Receiver, service: Receiver
) -> None:
    receiver.status = service.status = 500
    plant.misbehave('{"refuse_logins": true}')
    failed = run(plant, "failed")

    def warned() -> bool:
        return any(text.startswith("Alert not delivered, attempt 1") for text in plant.messages_of(failed))

    plant.await_true(warned, PATIENCE_S, "the warning")
    for moment in ("start", "fail"):
        assert f"The dead-man's ping ({moment}) was not heard: it was answered 500 Internal Server Error" in (
            plant.messages_of(failed)
        )
    plant.misbehave(None)
    run(plant, "success")


def test_orders_database_that_is_away_is_one_alert_and_its_return_another(
    plant: Plant, receiver: Receiver, service: Receiver
) -> None:
    plant.orders_server.stop("immediate")
    try:
        first, _second = run_without_database(plant), run_without_database(plant)
        await_pings(plant, service, "/fail", "/fail")
        await_alerts(plant, receiver, f"{DAG} failed")
        message = receiver.requests[0].body["message"]
        assert "Why: The orders database can't be reached" in message
        assert message.endswith(f"Run: {plant.airflow.url}/dags/{DAG}/runs/{first}")
        [variable] = plant.call("GET", "variables")["variables"]
        assert variable["key"] == f"open_orders_unreachable_{DAG}"
    finally:
        plant.orders_server.start()
    run(plant, "success")
    await_alerts(plant, receiver, f"{DAG} failed", f"{DAG} works again")
    assert plant.call("GET", "variables")["variables"] == []


def run_without_database(plant: Plant) -> str:
    run_id = f"away_{uuid4()}"
    plant.trigger(run_id)
    assert plant.await_run_end(run_id) == "failed"
    return run_id


def test_watch_finds_a_sync_that_does_not_run(plant: Plant, receiver: Receiver) -> None:
    plant.call("PATCH", "dags/watch_jobs", {"is_paused": False})
    watch(plant, "watch_1")
    [row] = plant.query("SELECT due_since, due_at FROM job_alerts WHERE job_name = %s", DAG)
    assert row["due_at"] > row["due_since"]
    plant.execute("UPDATE job_alerts SET due_since = due_since - interval '1 hour', due_at = now() - interval '40 min'")
    plant.execute("UPDATE job_logs SET completed_at = completed_at - interval '1 hour' WHERE job_name = %s", DAG)
    watch(plant, "watch_2")
    watch(plant, "watch_3")
    await_alerts(plant, receiver, f"{DAG} did not succeed for 15 minutes")
    run(plant, "success")
    await_alerts(plant, receiver, f"{DAG} did not succeed for 15 minutes", f"{DAG} works again")
    assert plant.query("SELECT count(*) FROM job_logs WHERE job_name = 'watch_jobs'") == [{"count": 0}]
    plant.call("PATCH", "dags/watch_jobs", {"is_paused": True})


def watch(plant: Plant, run_id: str) -> None:
    plant.call("POST", "dags/watch_jobs/dagRuns", {"dag_run_id": run_id, "logical_date": None})

    def ended() -> str | None:
        found = str(plant.call("GET", f"dags/watch_jobs/dagRuns/{run_id}")["state"])
        return found if found in ("success", "failed") else None

    assert plant.await_true(ended, PATIENCE_S, f"the end of {run_id}") == "success"

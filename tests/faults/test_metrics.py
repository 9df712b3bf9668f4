"""What the processes of a whole deployment send to a StatsD server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from open_orders.metrics import METRICS
from tests.faults.plant import DAG, ROWS, Plant

pytestmark = pytest.mark.full
PREFIX = f"airflow.job_log.{DAG}."


def run(plant: Plant, ends: str) -> str:
    run_id = f"metrics_{uuid4()}"
    plant.metrics.take()
    plant.trigger(run_id)
    assert plant.await_run_end(run_id) == ends, plant.messages_of(run_id)
    return run_id


def test_success_is_counted_once_with_what_it_did(plant: Plant) -> None:
    plant.recover()
    run(plant, "success")
    sent = [(name.removeprefix(PREFIX), value) for name, value in plant.metrics.take() if name.startswith(PREFIX)]
    assert [value for name, value in sent if name == "success"] == ["1|c"]
    assert {name for name, _ in sent} == set(METRICS) - {"error"}
    assert dict(sent)["rows.fetched"] == f"{ROWS}|g"


def test_error_is_counted_once(plant: Plant) -> None:
    plant.recover()
    plant.misbehave('{"refuse_logins": true}')
    run(plant, "failed")
    plant.misbehave(None)
    sent = plant.metrics.take()
    assert [value for name, value in sent if name == f"{PREFIX}error"] == ["1|c"]
    assert f"{PREFIX}success" not in dict(sent)

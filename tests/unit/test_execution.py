from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from open_orders.execution import Execution


def context(**run: Any) -> Any:
    values: dict[str, Any] = {"dag_id": "d", "run_id": "r", "run_type": SimpleNamespace(value="manual")}
    counted: list[tuple[Any, ...]] = []

    def get_dr_count(dag_id: str, run_ids: list[str], states: list[str]) -> int:
        counted.append((dag_id, run_ids, states))
        return 1 if run_ids == ["alive"] else 0

    task_instance = SimpleNamespace(task_id="fetch", try_number=2, max_tries=2, get_dr_count=get_dr_count)
    return {"dag_run": SimpleNamespace(**(values | run)), "ti": task_instance}


def test_execution_is_read_from_the_context() -> None:
    execution = Execution.from_context(context(clear_number=3, triggering_user_name="admin"))
    assert (execution.dag_id, execution.run_id, execution.step) == ("d", "r", "fetch")
    assert (execution.attempt, execution.attempts, execution.is_last_attempt) == (2, 3, False)
    assert execution.clear_number == 3
    assert execution.is_active("d", "alive")
    assert not execution.is_active("d", "dead")


@pytest.mark.parametrize(
    ("run", "origin"),
    [
        ({"triggering_user_name": "admin"}, "manual, triggered by admin"),
        ({"triggering_user_name": None, "run_type": "scheduled"}, "scheduled"),
    ],
)
def test_origin_says_what_started_the_run(run: dict[str, Any], origin: str) -> None:
    assert Execution.from_context(context(**run)).origin == origin

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from open_orders.execution import Execution, RunState


def context(**run: Any) -> Any:
    values: dict[str, Any] = {"dag_id": "d", "run_id": "r", "run_type": SimpleNamespace(value="manual")}

    def get_dr_count(dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(1 for run_id in run_ids if run_id in states)

    task_instance = SimpleNamespace(task_id="fetch", try_number=2, max_tries=2, get_dr_count=get_dr_count)
    return {"dag_run": SimpleNamespace(**(values | run)), "ti": task_instance}


def test_execution_is_read_from_the_context() -> None:
    execution = Execution.from_context(context(clear_number=3, triggering_user_name="admin"))
    assert (execution.dag_id, execution.run_id, execution.step) == ("d", "r", "fetch")
    assert (execution.attempt, execution.attempts, execution.is_last_attempt) == (2, 3, False)
    assert execution.clear_number == 3
    assert [execution.run_state("d", state) for state in ("queued", "running", "success", "failed", "unknown")] == [
        RunState.ACTIVE,
        RunState.ACTIVE,
        RunState.SUCCEEDED,
        RunState.OVER,
        RunState.OVER,
    ]


@pytest.mark.parametrize(
    ("run", "origin"),
    [
        ({"triggering_user_name": "admin"}, "manual, triggered by admin"),
        ({"triggering_user_name": None, "run_type": "scheduled"}, "scheduled"),
    ],
)
def test_origin_says_what_started_the_run(run: dict[str, Any], origin: str) -> None:
    assert Execution.from_context(context(**run)).origin == origin

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from open_orders.execution import Execution, RunEnd, RunState


def context(time_limit: timedelta | None = None, **run: Any) -> Any:
    values: dict[str, Any] = {"dag_id": "d", "run_id": "r", "run_type": SimpleNamespace(value="manual")}

    def get_dr_count(dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(1 for run_id in run_ids if run_id in states)

    task_instance = SimpleNamespace(
        task_id="fetch",
        try_number=2,
        max_tries=2,
        get_dr_count=get_dr_count,
        task=SimpleNamespace(execution_timeout=time_limit),
    )
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


@pytest.mark.parametrize(("time_limit", "seconds"), [(timedelta(minutes=2), 120.0), (None, None)])
def test_time_limit_is_that_of_the_task(time_limit: timedelta | None, seconds: float | None) -> None:
    assert Execution.from_context(context(time_limit)).time_limit_s == seconds


@pytest.mark.parametrize(
    ("run", "origin"),
    [
        ({"triggering_user_name": "admin"}, "manual, triggered by admin"),
        ({"triggering_user_name": None, "run_type": "scheduled"}, "scheduled"),
    ],
)
def test_origin_says_what_started_the_run(run: dict[str, Any], origin: str) -> None:
    assert Execution.from_context(context(**run)).origin == origin


def test_end_of_a_run_names_the_task_and_says_in_words_what_ended_it() -> None:
    told = {
        "dag": SimpleNamespace(dag_id="sync_open_orders"),
        "run_id": "manual__1",
        "dag_run": SimpleNamespace(clear_number=2),
        "ti": SimpleNamespace(task_id="fetch"),
        "reason": "timed_out",
    }
    end = RunEnd.from_context(told)
    assert (end.dag_id, end.run_id, end.clear_number) == ("sync_open_orders", "manual__1", 2)
    assert end.summary == "fetch: the run took longer than its time limit and was stopped"


def test_end_of_a_run_that_airflow_blames_on_no_task_is_still_an_end() -> None:
    told = {"dag": SimpleNamespace(dag_id="sync_open_orders"), "run_id": "manual__1", "reason": "all_tasks_deadlocked"}
    end = RunEnd.from_context(told)
    assert end.clear_number is None
    assert end.summary == "the run ended without closing its log (all_tasks_deadlocked)"

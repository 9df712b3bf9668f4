"""People decide otherwise in Airflow while a run is under way: they mark, clear and delete."""

from __future__ import annotations

import pytest

from open_orders.job_status import JobStatus
from tests.faults.cell import Cell
from tests.faults.plant import DAG
from tests.faults.points import EARLY, POINTS, Point

every_point = pytest.mark.parametrize("point", POINTS, ids=str)
every_task = pytest.mark.parametrize("point", EARLY, ids=str)


def mark_task(cell: Cell, point: Point, state: str) -> None:
    cell.plant.call("PATCH", f"dags/{DAG}/dagRuns/{cell.run_id}/taskInstances/{point.step}", {"new_state": state})


def mark_run(cell: Cell, state: str) -> None:
    cell.plant.call("PATCH", f"dags/{DAG}/dagRuns/{cell.run_id}", {"state": state})


@every_point
@pytest.mark.fault("The task is marked as failed")
def test_task_marked_as_failed_fails_the_run(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    mark_task(cell, point, "failed")
    cell.let_go_when_the_task_is_gone()
    cell.check(JobStatus.SUCCESS if point.committed else None)


@every_task
@pytest.mark.fault("The task is marked as succeeded")
def test_task_marked_as_succeeded_is_missed_by_those_after_it(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    mark_task(cell, point, "success")
    cell.let_go_when_the_task_is_gone()
    cell.check()


@every_point
@pytest.mark.fault("The task is cleared")
def test_cleared_task_is_repeated(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    cell.clear(cell.run_id, point.step)
    cell.let_go()
    cell.check(JobStatus.SUCCESS)


@every_point
@pytest.mark.fault("The run is marked as failed")
def test_run_marked_as_failed_changes_nothing_more(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    mark_run(cell, "failed")
    cell.let_go_when_the_task_is_gone()
    cell.check(JobStatus.SUCCESS if point.committed else None)


@every_task
@pytest.mark.fault("The run is marked as succeeded")
def test_run_marked_as_succeeded_does_not_make_its_log_a_success(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    mark_run(cell, "success")
    cell.let_go_when_the_task_is_gone()
    cell.check()
    assert cell.plant.log_of(cell.run_id)["status"] == JobStatus.ERROR


@every_task
@pytest.mark.fault("The run is deleted")
def test_log_of_a_deleted_run_is_closed_by_the_next(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    mark_run(cell, "failed")
    cell.plant.call("DELETE", f"dags/{DAG}/dagRuns/{cell.run_id}")
    cell.let_go_when_the_task_is_gone()
    cell.check_promises()

"""Runs that are forced to overlap: by raising max_active_runs, by a backfill, by clearing an old run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from open_orders.job_status import JobStatus
from tests.faults.cell import Cell, check_reason
from tests.faults.plant import DAG, Plant
from tests.faults.points import POINTS, Point

every_point = pytest.mark.parametrize("point", [point for point in POINTS if not point.committed], ids=str)
AMONG_ROWS = [point for point in POINTS if point.name.endswith("among the rows")]
REFUSED = r"connect: Another run of sync_open_orders is in progress: job log \d+_\d+"


@pytest.fixture(scope="module", autouse=True)
def three_runs_at_a_time(plant: Plant) -> Iterator[None]:
    plant.recover()
    plant.allow_runs_at_a_time(3)
    yield
    plant.allow_runs_at_a_time(1)


@every_point
@pytest.mark.fault("A second run is started, while max_active_runs is raised")
def test_second_run_is_refused_and_changes_nothing(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    second = f"{cell.run_id}_second"
    cell.plant.trigger(second)
    if point.name != "connect, beginning":
        # The first one has not told anybody yet that it is at work; of the two, one comes first.
        assert cell.plant.await_run_end(second) == "failed"
        log = cell.plant.log_of(second)
        assert log["status"] == JobStatus.ERROR
        check_reason(log["error_summary"], REFUSED)
    cell.let_go()
    cell.check(JobStatus.SUCCESS if point.name != "connect, beginning" else None)


@pytest.mark.parametrize("point", AMONG_ROWS, ids=str)
@pytest.mark.fault("An old run is cleared while a new one is at work")
def test_cleared_old_run_is_refused_while_another_works(cell: Cell, point: Point) -> None:
    old = f"{cell.run_id}_old"
    cell.plant.trigger(old)
    assert cell.plant.await_run_end(old) == "success"
    cell.begin()
    cell.run_to(point)
    cell.clear(old)
    assert cell.plant.await_run_end(old) == "failed"
    # What it did the first time stands; that it was refused the second time is told below that.
    assert cell.plant.log_of(old)["status"] == JobStatus.SUCCESS
    assert re.search(REFUSED.removeprefix("connect: "), "\n".join(cell.plant.messages_of(old)))
    cell.let_go()
    cell.check(JobStatus.SUCCESS)


@pytest.mark.parametrize("point", AMONG_ROWS, ids=str)
@pytest.mark.fault("A backfill is started while a run is at work")
def test_backfill_is_refused_while_a_run_works(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    dates = {"from_date": "2026-09-01T00:00:00Z", "to_date": "2026-10-01T00:00:00Z"}
    options = {"max_active_runs": 2, "reprocess_behavior": "completed", "run_backwards": False, "dag_run_conf": {}}
    cell.plant.call("POST", "backfills", {"dag_id": DAG} | dates | options)
    runs = [run for run in cell.plant.active_runs() if run.startswith("backfill")]
    assert len(runs) == 2
    for run in runs:
        assert cell.plant.await_run_end(run) == "failed"
        check_reason(cell.plant.log_of(run)["error_summary"], REFUSED)
    cell.let_go()
    cell.check(JobStatus.SUCCESS)

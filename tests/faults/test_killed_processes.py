"""SIGKILL of each kind of process at each point of a run."""

from __future__ import annotations

from collections.abc import Iterable

import psutil
import pytest

from open_orders.job_status import JobStatus
from tests.faults.cell import Cell
from tests.faults.points import POINTS, Point

every_point = pytest.mark.parametrize("point", POINTS, ids=str)


def kill(processes: Iterable[psutil.Process]) -> None:
    killed = list(processes)
    assert killed
    for process in killed:
        process.kill()
    psutil.wait_procs(killed, timeout=10)


@every_point
@pytest.mark.fault("SIGKILL of the task")
def test_task_is_repeated(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    kill(cell.plant.tasks())
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")


@every_point
@pytest.mark.fault("SIGKILL of the task's supervisor")
def test_task_that_outlives_its_supervisor_does_no_harm(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    kill(task.parent() for task in cell.plant.tasks())
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")


@every_point
@pytest.mark.fault("SIGKILL of task and supervisor")
def test_task_whose_supervisor_died_with_it_is_repeated(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    kill(process for task in cell.plant.tasks() for process in (task.parent(), task))
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")


@every_point
@pytest.mark.fault("SIGKILL of the scheduler")
def test_scheduler_that_comes_back_ends_the_run(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    kill([cell.plant.airflow_process("scheduler")])
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")


@every_point
@pytest.mark.fault("SIGKILL of the api-server")
def test_run_goes_on_when_the_api_server_is_back(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    kill([cell.plant.airflow_process("api-server")])
    cell.let_go()
    cell.plant.await_healthy()
    cell.check(JobStatus.SUCCESS, state="success")


@every_point
@pytest.mark.fault("SIGKILL of all of Airflow")
def test_run_goes_on_when_airflow_is_back(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    kill(cell.plant.airflow_processes())
    cell.let_go()
    cell.plant.await_healthy()
    # A scheduler that is up long before the api-server may use up the attempts meanwhile.
    cell.check()

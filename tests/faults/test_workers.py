"""Airflow with Celery workers on machines of their own: a run is spread over them, and outlives the loss of one.

All of it needs root, for the network namespaces; a machine of CI is root's, so there it is never skipped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from open_orders.job_status import JobStatus
from tests.faults.celery_plant import CeleryPlant, Worker
from tests.faults.cell import SETTLE_TIMEOUT_S, Cell
from tests.faults.network import Network, can_make_networks
from tests.faults.plant import DAG
from tests.faults.points import EARLY, POINTS, Point
from tests.first_run import FirstRun

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not can_make_networks(), reason="needs root's rights to make network namespaces"),
]
DEPLOYMENT = "Celery workers"
BY_NAME = {point.name: point for point in POINTS}
every_point = pytest.mark.parametrize("point", POINTS, ids=str)
every_task = pytest.mark.parametrize("point", EARLY, ids=str)
# The worker's session lives on in the database, and may hold locks; or has committed, which the worker never learns.
CUT_OFF_AT = ("fetch, among the rows", "fetch, at its end", "publish, among the rows", "publish, at its commit")
AWAY_S = 10
NOTICED_S = 120
# Celery looks for such messages every 100 s.
REDELIVERED_S = 200


@pytest.fixture(scope="module")
def plant(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryPlant]:
    """Yield a running deployment with two workers, whose first run has published."""
    with Network() as network, CeleryPlant(tmp_path_factory.mktemp("plant"), first_run, network) as plant:
        yield plant


@pytest.fixture
def recovered(plant: CeleryPlant) -> CeleryPlant:
    """Return the plant with both workers at work."""
    plant.recover()
    return plant


def test_tasks_of_a_run_are_spread_over_the_workers(recovered: CeleryPlant) -> None:
    runs = [f"spread_{number}" for number in range(5)]
    for run in runs:
        recovered.trigger(run)
        assert recovered.await_run_end(run) == "success", recovered.messages_of(run)
    hosts = {run: recovered.hosts_of(run) for run in runs}
    assert all(len(tasks) == 5 for tasks in hosts.values())
    workers = {worker.address for worker in recovered.workers}
    assert {host for tasks in hosts.values() for host in tasks.values()} == workers
    # Which of two idle workers Redis serves first is chance; that it is the same five times has one of sixteen.
    assert workers in [set(tasks.values()) for tasks in hosts.values()], hosts


def test_task_logs_are_read_from_the_workers(recovered: CeleryPlant) -> None:
    recovered.trigger("logs")
    assert recovered.await_run_end("logs") == "success", recovered.messages_of("logs")
    for task, host in recovered.hosts_of("logs").items():
        answer = recovered.call("GET", f"dags/{DAG}/dagRuns/logs/taskInstances/{task}/logs/1")
        text = str(answer["content"])
        assert f"http://{host}:8793/log/" in text
        assert "Could not read served logs" not in text
        assert any(message in text for message in recovered.messages_of("logs")), text


@every_point
@pytest.mark.fault("SIGKILL of a worker with all that it runs", deployment=DEPLOYMENT)
def test_another_worker_repeats_the_task(cell: Cell, plant: CeleryPlant, point: Point) -> None:
    cell.run_to(point)
    dead = plant.worker_at_work()
    dead.kill()
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")
    (alive,) = (worker for worker in plant.workers if worker is not dead)
    assert plant.hosts_of(cell.run_id)[point.step] == alive.address


@every_task
@pytest.mark.fault("SIGKILL of all workers, which come back later", deployment=DEPLOYMENT)
def test_run_goes_on_when_the_workers_are_back(cell: Cell, plant: CeleryPlant, point: Point) -> None:
    cell.run_to(point)
    for worker in plant.workers:
        worker.kill()
    cell.let_go()
    plant.await_true(
        lambda: plant.task_of(cell.run_id, point.step)["state"] != "running", SETTLE_TIMEOUT_S, "the attempt's end"
    )
    for worker in plant.workers:
        worker.start()
    cell.check()


@pytest.mark.parametrize("name", CUT_OFF_AT)
@pytest.mark.fault("A worker is cut off the network for longer than the heartbeat timeout", deployment=DEPLOYMENT)
def test_worker_that_was_cut_off_does_no_harm_when_it_is_back(cell: Cell, plant: CeleryPlant, name: str) -> None:
    cell.run_to(BY_NAME[name])
    cut_off = plant.worker_at_work()
    cut_off.cable.pull()
    cell.let_go()
    assert plant.await_run_end(cell.run_id) == "success"
    cut_off.cable.plug()
    # Its supervisor learns from Airflow that the attempt is over, as soon as it asks again.
    plant.await_true(lambda: not cut_off.tasks(), NOTICED_S, "the end of the task that was cut off")
    cell.check(JobStatus.SUCCESS, state="success")
    _check_it_takes_tasks_again(plant, f"{cell.run_id}_alone", cut_off)


@pytest.mark.parametrize("name", CUT_OFF_AT)
@pytest.mark.fault("A worker loses the network and all that it runs", deployment=DEPLOYMENT)
def test_sessions_of_a_lost_machine_hold_nothing_up(cell: Cell, plant: CeleryPlant, name: str) -> None:
    cell.run_to(BY_NAME[name])
    lost = plant.worker_at_work()
    # In this order: with the network there, the kernel would close its connections.
    lost.cable.pull()
    lost.kill()
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")


@every_task
@pytest.mark.fault("SIGKILL of Redis, which comes back empty at once", deployment=DEPLOYMENT)
def test_run_goes_on_with_an_empty_queue(cell: Cell, plant: CeleryPlant, point: Point) -> None:
    cell.run_to(point)
    plant.redis.kill()
    plant.redis.start()
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")


@every_task
@pytest.mark.fault("SIGKILL of Redis, which comes back after 10 s", deployment=DEPLOYMENT)
def test_run_ends_when_redis_is_away_for_a_while(cell: Cell, plant: CeleryPlant, point: Point) -> None:
    cell.run_to(point)
    plant.redis.kill()
    cell.let_go()
    time.sleep(AWAY_S)
    plant.redis.start()
    # Airflow can't hand over the next task meanwhile: each try costs that task an attempt.
    cell.check()


@pytest.mark.parametrize("point", [BY_NAME["fetch, at its end"]], ids=str)
@pytest.mark.fault("The message of a killed worker is delivered again", deployment=DEPLOYMENT)
def test_message_that_is_delivered_again_starts_nothing(cell: Cell, plant: CeleryPlant, point: Point) -> None:
    cell.run_to(point)
    message = plant.message_of(cell.run_id, point.step)
    plant.worker_at_work().kill()
    cell.let_go()
    cell.check(JobStatus.SUCCESS, state="success")
    messages = plant.messages_of(cell.run_id)
    plant.await_true(lambda: plant.count_deliveries(message) == 2, REDELIVERED_S, "the second delivery")
    plant.await_true(lambda: not plant.redis.count("unacked"), SETTLE_TIMEOUT_S, "the end of the message")
    assert plant.messages_of(cell.run_id) == messages
    assert plant.task_of(cell.run_id, point.step)["state"] == "success"
    cell.check_nothing_is_left()


def _check_it_takes_tasks_again(plant: CeleryPlant, run_id: str, worker: Worker) -> None:
    """With no other worker there, a run succeeds."""
    for other in plant.workers:
        if other is not worker:
            other.kill()
    plant.trigger(run_id)
    assert plant.await_run_end(run_id) == "success", plant.messages_of(run_id)
    assert set(plant.hosts_of(run_id).values()) == {worker.address}

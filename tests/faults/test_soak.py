"""Many runs in a row while orders change, readers poll and faults strike at random: in the end nothing is lost."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psutil
import pytest

from tests.faults.cell import Cell
from tests.faults.plant import DAG, PROCESSES, Plant
from tests.faults.reader import Snapshot

pytestmark = [pytest.mark.full, pytest.mark.timeout(4 * 3600)]

FAULT_SHARE = 0.4
# A fault strikes within the time that a run takes, and what it is about comes back after this.
RUN_S, AWAY_S = 5.0, 3.0
# What a process may have grown from the middle of the soak to its end, where no fault has replaced it.
GROWTH = 1.25


def test_soak_loses_nothing(plant: Plant, cell: Cell, request: pytest.FixtureRequest) -> None:
    runs, seed = request.config.getoption("--soak-runs"), request.config.getoption("--soak-seed")
    rng = random.Random(seed)
    faults: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    published: set[Snapshot] = {cell.before}
    middle: dict[int, int] = {}
    with _living(plant):
        for number in range(runs):
            run_id = f"soak_{seed}_{number}"
            plant.trigger(run_id)
            if rng.random() < FAULT_SHARE:
                name, strike = rng.choice(list(FAULTS.items()))
                faults[name] += 1
                time.sleep(rng.uniform(0, RUN_S))
                strike(plant, rng)
            outcomes[plant.await_run_end(run_id)] += 1
            published.add(cell.snapshot())
            if number == runs // 2:
                middle = memory(plant)
    plant.recover()
    grown = {pid: (middle[pid], size) for pid, size in memory(plant).items() if pid in middle}
    print(f"seed {seed}: {runs} runs, {dict(outcomes)}; faults {dict(faults)}; {cell.reader.reads} reads,", end=" ")
    print(f"worst {cell.reader.worst_wait_s:.2f} s; bytes of processes in the middle and at the end {grown}")
    assert sum(outcomes.values()) == runs
    cell.check_next_run()
    published.add(cell.snapshot())
    cell.check_readers(published, once=False)
    cell.check_nothing_is_left()
    logs = plant.query("SELECT run_id, status FROM job_logs WHERE run_id LIKE %s", f"soak_{seed}_%")
    # A run that failed before it could open its log has none.
    assert all(log["status"] in (2, 3) for log in logs)
    assert all(size < before * GROWTH for before, size in grown.values())
    assert (
        plant.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'open_orders web'")[0]["count"] < 10
    )


def memory(plant: Plant) -> dict[int, int]:
    """Return the resident bytes of each of Airflow's processes by its id."""
    found = {}
    for name in PROCESSES:
        with suppress(LookupError, psutil.NoSuchProcess):
            process = plant.airflow_process(name)
            found[process.pid] = process.memory_info().rss
    return found


@contextmanager
def _living(plant: Plant) -> Iterator[None]:
    """Let orders change every second, beside everything else."""
    done = Event()

    def live() -> None:
        while not done.wait(1):
            # A source that misbehaves does so to the ERP's own programs too.
            with suppress(Exception):
                plant.change_orders()

    thread = Thread(target=live, name="life of the ERP")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _kill_tasks(plant: Plant, rng: random.Random) -> None:
    _kill(plant.tasks())


def _kill_supervisors(plant: Plant, rng: random.Random) -> None:
    _kill(parent for task in plant.tasks() if (parent := task.parent()))


def _kill_process(name: str) -> Callable[[Plant, random.Random], None]:
    def strike(plant: Plant, rng: random.Random) -> None:
        with suppress(LookupError):
            plant.airflow_process(name).kill()

    return strike


def _restart_orders_database(plant: Plant, rng: random.Random) -> None:
    plant.orders_server.stop("immediate")
    time.sleep(rng.uniform(0, AWAY_S))
    plant.orders_server.start()


def _disturb_source(plant: Plant, rng: random.Random) -> None:
    faults = rng.choice(
        [
            {"refuse_logins": True},
            {"drop_after_bytes": rng.randrange(100_000)},
            {"drop_after_rows": rng.randrange(600), "reset": True},
            {"stall_after_rows": rng.randrange(600)},
            {"omit_after_rows": rng.randrange(600)},
            {"error_after_rows": [rng.randrange(600), 1205, 13, 1, "Rerun the transaction."]},
        ]
    )
    plant.misbehave(json.dumps(faults))
    time.sleep(rng.uniform(0, AWAY_S))
    plant.misbehave(None)


def _mark_as_failed(plant: Plant, rng: random.Random) -> None:
    for run in plant.active_runs():
        plant.call("PATCH", f"dags/{DAG}/dagRuns/{run}", {"state": "failed"})


def _kill(processes: Iterator[psutil.Process] | list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


FAULTS: dict[str, Callable[[Plant, random.Random], None]] = {
    "task killed": _kill_tasks,
    "supervisor killed": _kill_supervisors,
    "scheduler killed": _kill_process("scheduler"),
    "dag-processor killed": _kill_process("dag-processor"),
    "api-server killed": _kill_process("api-server"),
    "orders database restarted": _restart_orders_database,
    "source disturbed": _disturb_source,
    "run marked as failed": _mark_as_failed,
}

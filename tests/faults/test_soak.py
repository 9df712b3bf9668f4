"""Many runs in a row while orders change, readers poll and faults strike at random: in the end nothing is lost."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

import psutil
import psycopg
import pytest

from tests.faults.cell import Cell
from tests.faults.plant import DAG, PROCESSES, Plant
from tests.faults.reader import SNAPSHOT

pytestmark = [pytest.mark.full, pytest.mark.timeout(4 * 3600)]

FAULT_SHARE = 0.4
# A fault strikes within the time that a run takes, and what it is about comes back after this.
RUN_S, AWAY_S = 5.0, 3.0
# After this share of the runs no fault kills one of Airflow's processes any more, and after this they are measured.
LIVING_SHARE, MEASURED_SHARE = 0.6, 0.7
# What a process, and the sessions in a database, may have grown from the first measurement to the last.
BYTES_GROWTH, SESSIONS_GROWTH = 1.25, 2
# Every publish notes, in its own transaction, what `open_orders` holds at its commit.
NOTE_PUBLISHED = """
CREATE TABLE faults.published (
    id bigserial PRIMARY KEY, run_id text NOT NULL, orders bigint NOT NULL, hash text NOT NULL
);
CREATE FUNCTION faults.note_published() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO public AS
$$
BEGIN
    INSERT INTO faults.published (run_id, orders, hash) SELECT NEW.run_id, found.* FROM ({snapshot}) AS found;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER faults_note_published AFTER UPDATE ON public.job_logs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.status <> 2 AND NEW.status = 2) EXECUTE FUNCTION faults.note_published();
"""


@dataclass(frozen=True)
class Size:
    """What Airflow's processes and databases hold between two runs: resident bytes by process, and sessions."""

    bytes_of: dict[tuple[str, int], int]
    sessions: dict[str, int]


def test_soak_loses_nothing(plant: Plant, cell: Cell, request: pytest.FixtureRequest) -> None:
    runs, seed = request.config.getoption("--soak-runs"), request.config.getoption("--soak-seed")
    rng = random.Random(seed)
    faults: Counter[str] = Counter()
    outcomes: dict[str, str] = {}
    sizes: list[Size] = []
    with _noting(plant):
        with _living(plant):
            for number in range(runs):
                run_id = f"soak_{seed}_{number}"
                plant.trigger(run_id)
                if rng.random() < FAULT_SHARE:
                    name = rng.choice([name for name in FAULTS if number < runs * LIVING_SHARE or name not in DEADLY])
                    faults[name] += 1
                    time.sleep(rng.uniform(0, RUN_S))
                    FAULTS[name](plant, rng)
                outcomes[run_id] = plant.await_run_end(run_id)
                if number >= runs * MEASURED_SHARE:
                    sizes.append(measure(plant))
        plant.recover()
        cell.check_next_run()
        published = [(row["orders"], row["hash"]) for row in plant.query("TABLE faults.published ORDER BY id")]
        publishers = [row["run_id"] for row in plant.query("SELECT run_id FROM faults.published")]
    late = [run_id for run_id in publishers if outcomes.get(run_id) == "failed"]
    print(
        f"seed {seed}: {runs} runs, {dict(Counter(outcomes.values()))}; {dict(faults)} faults: {faults.total()};",
        end=" ",
    )
    print(f"{len(late)} published although Airflow had given them up; {cell.reader.reads} reads,", end=" ")
    print(f"{len(cell.reader.snapshots)} snapshots, worst wait {cell.reader.worst_wait_s:.2f} s")
    print(f"sizes after {runs - len(sizes) + 1} runs and after {runs}:\n{sizes[0]}\n{sizes[-1]}")
    assert len(outcomes) == runs
    assert len(set(publishers)) == len(publishers), "a run published twice"
    # Readers saw each snapshot as it was committed, in that order, and nothing else.
    unseen = iter([cell.before, *published])
    assert [seen for seen in cell.reader.snapshots if seen not in unseen] == []
    cell.check_readers({cell.before, *published}, once=False)
    cell.check_nothing_is_left()
    logs = plant.query("SELECT run_id, status FROM job_logs WHERE run_id LIKE %s", f"soak_{seed}_%")
    # A run that failed before it could open its log has none.
    assert all(log["status"] in (2, 3) for log in logs)
    assert {log["run_id"] for log in logs if log["status"] == 2} <= set(publishers)
    assert {run_id for run_id, outcome in outcomes.items() if outcome == "success"} <= set(publishers)
    first, last = sizes[0], sizes[-1]
    assert last.bytes_of.keys() == first.bytes_of.keys(), "a process was replaced although nothing killed it"
    assert all(size < first.bytes_of[process] * BYTES_GROWTH for process, size in last.bytes_of.items())
    assert all(count <= first.sessions[database] + SESSIONS_GROWTH for database, count in last.sessions.items())


def measure(plant: Plant) -> Size:
    found = {}
    for name in PROCESSES:
        process = plant.airflow_process(name)
        found[name, process.pid] = process.memory_info().rss
    servers = {"airflow": plant.metadata_server, "orders": plant.orders_server}
    return Size(found, {database: _count_sessions(server.dsn(database)) for database, server in servers.items()})


def _count_sessions(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    return int(found[0]) if found else 0


@contextmanager
def _noting(plant: Plant) -> Iterator[None]:
    plant.execute(NOTE_PUBLISHED.format(snapshot=SNAPSHOT.as_string()))
    try:
        yield
    finally:
        plant.execute("DROP FUNCTION faults.note_published CASCADE; DROP TABLE faults.published")


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
# Those after which one of Airflow's processes is another one.
DEADLY = {"scheduler killed", "dag-processor killed", "api-server killed"}

"""One cell of the matrix: a run that a fault strikes at a point, and what has to hold during it and afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psutil
import psycopg

from open_orders.contract import OPEN_ORDERS
from open_orders.job_status import JobStatus
from open_orders.settings import SQL_DIR
from open_orders.web.reading import INTERRUPTED
from sandbox.erp.session import connect
from tests.faults.plant import DAG, Plant
from tests.faults.points import STALL_AFTER_ROWS, Point
from tests.faults.reader import Reader, Snapshot, read_snapshot

REACH_TIMEOUT_S = 90
SETTLE_TIMEOUT_S = 30
# What a reader may wait for an answer, the time in which the database is down apart. The machine is shared with all of
# Airflow's processes; a lock that holds readers up would hold them for as long as its holder is stopped here.
LONGEST_WAIT_S = 5
_numbers = count(1)


@dataclass
class Cell:
    """A run in the making. Use `run_to`, strike, `let_go`, then `check`."""

    plant: Plant
    reader: Reader
    record: Callable[[str, object], None]
    run_id: str = field(default_factory=lambda: f"cell_{next(_numbers)}")
    before: Snapshot = (0, "")
    held: list[psutil.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Let orders change in the ERP; what is published now is the snapshot before the run."""
        self.plant.change_orders()
        self.before = self.snapshot()
        self.reader.forget()

    def snapshot(self) -> Snapshot:
        with psycopg.connect(self.plant.orders_dsn, autocommit=True) as connection:
            return read_snapshot(connection)

    # Before the fault

    def run_to(self, point: Point, **conf: Any) -> None:
        """Start a run and return when it has reached the point, where it waits."""
        self.stop_at(point)
        self.plant.trigger(self.run_id, **conf)
        self.await_point(point)

    def stop_at(self, point: Point) -> None:
        if point.event is None:
            self.plant.misbehave(json.dumps({"stall_after_rows": STALL_AFTER_ROWS}))
        else:
            self.plant.execute("INSERT INTO faults.breakpoints VALUES (%s, %s)", self.run_id, point.event)

    def await_point(self, point: Point) -> None:
        reached = self._is_copying if point.event is None else self._is_waiting
        self.plant.await_true(reached, REACH_TIMEOUT_S, f"{self.run_id} at {point}")
        if point.committed:
            self.held = self.plant.tasks()
            for task in self.held:
                task.suspend()
            self._release()
            self.plant.await_true(lambda: self.plant.log_of(self.run_id)["status"] == 2, REACH_TIMEOUT_S, "the commit")

    def let_go(self) -> None:
        """Let everything go on that waits at a point."""
        self._release()
        for task in self.held:
            if task.is_running():
                task.resume()
        self.held.clear()

    def let_go_when_the_task_is_gone(self) -> None:
        """Let go after Airflow has ended the task's process, whose session still waits at the point."""
        self.plant.await_true(lambda: not self.plant.tasks(), SETTLE_TIMEOUT_S, "the end of the task")
        self.let_go()

    def clear(self, run_id: str, *tasks: str) -> None:
        """Clear tasks of a run as in Airflow's UI; without names, all."""
        body: dict[str, Any] = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "dag_run_id": run_id}
        self.plant.call("POST", f"dags/{DAG}/clearTaskInstances", body | ({"task_ids": list(tasks)} if tasks else {}))

    def await_message(self, text: str, timeout_s: float = REACH_TIMEOUT_S) -> None:
        def is_there() -> bool:
            return any(text in message for message in self.plant.messages_of(self.run_id))

        self.plant.await_true(is_there, timeout_s, f"message {text!r}")

    def await_ended_on_the_pages(self) -> None:
        """Return when the pages show the log as interrupted, or as error where a late callback of Airflow closed it."""
        name = self.plant.log_of(self.run_id)["name"]
        path = f"/job_logs/api/job_logs/{name}"
        self.plant.await_true(
            lambda: (
                self.plant.airflow.get(path, token=self.plant.airflow.token("admin")).json()["status"]
                in (INTERRUPTED, "error")
            ),
            REACH_TIMEOUT_S,
            "interrupted or error",
        )

    def _release(self) -> None:
        self.plant.misbehave(None)
        self.plant.execute("DELETE FROM faults.breakpoints")

    def _is_waiting(self) -> bool:
        statement = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND (classid, objid) = (1207, 1) AND granted"
        return bool(self.plant.query(statement))

    def _is_copying(self) -> bool:
        """Whether landing takes rows in, and waits for more."""
        statement = "SELECT FROM pg_stat_activity WHERE query ~ 'COPY .*landing' AND wait_event = 'ClientRead'"
        return bool(self.plant.query(statement)) and self.plant.log_of(self.run_id)["step"] == "fetch"

    # After the fault

    def check(self, expected: JobStatus | None = None, summary: str = "", state: str = "success|failed") -> None:
        """Wait until the run has ended, and check all promises; the next run must put everything right by itself.

        `expected` is how its log must have ended by then (None: it may be open still), `summary` a pattern of its
        error, `state` one of how Airflow says that the run ended.
        """
        assert re.fullmatch(state, self.plant.await_run_end(self.run_id))
        if expected is not None:
            self.await_log_end()
            messages = "\n".join(self.plant.messages_of(self.run_id))
            assert self.plant.log_of(self.run_id)["status"] == expected, messages
        self.check_promises(summary)

    def await_log_end(self) -> None:
        """The run's last task, or Airflow's callback, closes the log about when the run ends."""
        self.plant.await_true(
            lambda: self.plant.log_of(self.run_id)["status"] in (2, 3), SETTLE_TIMEOUT_S, "the end of the job log"
        )

    def check_promises(self, summary: str = "") -> None:
        log = self.plant.log_of(self.run_id)
        after = self.snapshot()
        if log["status"] == JobStatus.SUCCESS:
            assert after == self.expected_snapshot()
            assert log["fetched"] == log["imported"] + log["rejected"]
            assert log["total_after"] == log["imported"]
        else:
            assert after == self.before
        self.check_next_run()
        log = self.plant.log_of(self.run_id)
        assert log["status"] in (JobStatus.SUCCESS, JobStatus.ERROR)
        if log["status"] == JobStatus.ERROR:
            check_reason(log["error_summary"], summary)
        self.check_readers({self.before, after})
        self.check_nothing_is_left()

    def check_next_run(self) -> None:
        """The run that comes next succeeds by itself, and no log of those before is open then."""
        next_run = f"{self.run_id}_next"
        self.plant.trigger(next_run)
        assert self.plant.await_run_end(next_run) == "success", self.plant.messages_of(next_run)
        log = self.plant.log_of(next_run)
        assert log["status"] == JobStatus.SUCCESS
        assert log["fetched"] == log["imported"] + log["rejected"]
        assert self.snapshot() == self.expected_snapshot()
        open_logs = self.plant.query("SELECT run_id, status, error_summary FROM job_logs WHERE status IN (0, 1)")
        assert open_logs == []

    def check_readers(self, allowed: set[Snapshot], *, once: bool = True) -> None:
        """Readers saw one of these snapshots or the one after the next run, each at most once, and never waited."""
        allowed = allowed | {self.snapshot()}
        assert set(self.reader.snapshots) <= allowed, (self.reader.snapshots, allowed)
        assert not once or len(self.reader.snapshots) <= len(allowed), "a snapshot came back"
        assert self.reader.unexpected == []
        self.record("worst_wait_s", self.reader.worst_wait_s)
        self.record("reads", self.reader.reads)
        assert self.reader.worst_wait_s < LONGEST_WAIT_S

    def check_nothing_is_left(self) -> None:
        """No session of a step, no lock, no prepared transaction, no temporary table, no task process."""
        self.plant.await_true(lambda: not self.plant.tasks(), SETTLE_TIMEOUT_S, "the end of all tasks")
        sessions = """SELECT application_name, query FROM pg_stat_activity
                      WHERE application_name LIKE 'open_orders%' AND application_name <> 'open_orders web'"""
        self.plant.await_true(lambda: not self.plant.query(sessions), SETTLE_TIMEOUT_S, "the end of all sessions")
        assert self.plant.query("SELECT FROM pg_locks WHERE locktype = 'advisory'") == []
        assert self.plant.query("SELECT FROM pg_prepared_xacts") == []
        assert self.plant.query("SELECT relname FROM pg_class WHERE relpersistence = 't'") == []

    def expected_snapshot(self) -> Snapshot:
        """Return what `open_orders` must hold, computed from the ERP's own answer, without landing and staging."""
        with closing(connect(self.plant.erp)) as erp, erp.cursor() as cursor:
            cursor.execute((SQL_DIR / "source" / "open_orders.sql").read_text())
            while cursor.description is None:
                cursor.nextset()
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        # The sample ERP's orders without a number break the contract.
        valid = [[row[name] for name in OPEN_ORDERS.names] for row in rows if row["order_number"].strip()]
        with psycopg.connect(self.plant.orders_dsn) as connection:
            columns = ", ".join(OPEN_ORDERS.names)
            # Hides the real table from this session.
            connection.execute(
                f"CREATE TEMP TABLE open_orders ON COMMIT DROP AS SELECT {columns} FROM open_orders LIMIT 0"
            )
            with connection.cursor() as cursor:
                values = ", ".join(["%s"] * len(OPEN_ORDERS.names))
                cursor.executemany(f"INSERT INTO pg_temp.open_orders ({columns}) VALUES ({values})", valid)
            return read_snapshot(connection)


def check_reason(summary: str | None, pattern: str = "") -> None:
    """An error's summary names the step, or that the run was interrupted, in a sentence for a person."""
    assert summary
    assert re.match(r"(connect|fetch|truncate|import_batches|publish|before the first step): ", summary), summary
    assert not re.search(r"Traceback|Unexpected error|object at 0x", summary), summary
    assert re.search(pattern, summary), summary

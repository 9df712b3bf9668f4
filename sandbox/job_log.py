"""Print the job log of a run as it grows."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

SUCCESS, ERROR = 2, 3
POLL_S = 0.2
ASK_STATE_S = 2.0
# A run may wait for an earlier one, and both end within five minutes.
QUEUED_TIMEOUT_S = 330.0
RUNNING_TIMEOUT_S = 330.0
# A running run opens its job log first of all, so this is mostly the time of a slow task start.
APPEAR_TIMEOUT_S = 90.0
# A run that died has its job log closed by a callback.
CLOSE_TIMEOUT_S = 60.0

FIND_LOG = """
    SELECT id, name, status, fetched, imported, rejected, inserted, updated, deleted, total_after, error_summary
    FROM job_logs WHERE dag_id = %s AND run_id = %s
"""
FIND_LOGS_SINCE = """
    SELECT name, status, fetched, imported, rejected, inserted, updated, deleted, total_after, error_summary
    FROM job_logs WHERE dag_id = %s AND status IN (2, 3) AND completed_at >= %s ORDER BY id
"""
READ_DETAILS = """
    SELECT id, level, task_id, message, created_at AT TIME ZONE 'UTC' AS at
    FROM job_log_details WHERE job_log_id = %s ORDER BY created_at, id
"""


class NoJobLogError(Exception):
    """The run's job log did not appear or did not end in time."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its job log's name, whether it succeeded, and a line about it."""

    name: str
    succeeded: bool
    summary: str

    def __str__(self) -> str:
        return f"Job log {self.name}: {'success' if self.succeeded else 'ERROR'} - {self.summary}"


def list_outcomes(conninfo: str, dag_id: str, since: datetime) -> list[Outcome]:
    """Return how the DAG's runs that ended since then went, oldest first."""
    with psycopg.connect(conninfo, row_factory=namedtuple_row) as connection:
        logs: list[Any] = connection.execute(FIND_LOGS_SINCE, [dag_id, since]).fetchall()
    return [_conclude(log) for log in logs]


def follow_run(
    conninfo: str,
    dag_id: str,
    run_id: str,
    *,
    read_run_state: Callable[[], str | None],
    say: Callable[[str], None],
) -> Outcome:
    """Print each message of the run's job log once, as it comes, until the log is closed.

    Args:
        conninfo: libpq's connection string of the orders database.
        dag_id: of the run.
        run_id: of the run.
        read_run_state: Airflow's state of the run (queued, running, success, failed), None for no such run.
        say: prints a line.

    Raises:
        NoJobLogError: no job log within APPEAR_TIMEOUT_S, or it did not end; the message says what was seen.
        psycopg.Error: the orders database does not answer.
    """
    patience = _Patience(read_run_state)
    printed: set[int] = set()
    with psycopg.connect(conninfo, autocommit=True, row_factory=namedtuple_row) as connection:
        while True:
            log: Any = connection.execute(FIND_LOG, [dag_id, run_id]).fetchone()
            if log is not None:
                details: list[Any] = connection.execute(READ_DETAILS, [log.id]).fetchall()
                for detail in details:
                    if detail.id not in printed:
                        printed.add(detail.id)
                        say(_format_detail(detail))
                if log.status in (SUCCESS, ERROR):
                    return _conclude(log)
            patience.check(log_exists=log is not None)
            time.sleep(POLL_S)


class _Patience:
    """Knows since when the run is in its state, and when waiting on has become pointless."""

    def __init__(self, read_run_state: Callable[[], str | None]) -> None:
        self._read_run_state = read_run_state
        self._state: str | None = None
        self._since = time.monotonic()
        self._asked = 0.0

    def check(self, *, log_exists: bool) -> None:
        now = time.monotonic()
        if now - self._asked >= ASK_STATE_S:
            self._asked = now
            state = self._read_run_state()
            if state != self._state:
                self._state, self._since = state, now
        limit = self._limit(log_exists)
        if now - self._since > limit:
            seen = "its job log is not closed" if log_exists else "it has no job log"
            raise NoJobLogError(
                f"The run is {self._state or 'unknown to Airflow'} since more than {limit:.0f} s, and {seen}."
            )

    def _limit(self, log_exists: bool) -> float:
        if self._state == "running":
            return RUNNING_TIMEOUT_S if log_exists else APPEAR_TIMEOUT_S
        if self._state in ("success", "failed"):
            return CLOSE_TIMEOUT_S if log_exists else 2 * ASK_STATE_S
        return QUEUED_TIMEOUT_S


def _format_detail(detail: Any) -> str:
    return f"    {detail.at:%H:%M:%S} {detail.level:<7} {detail.task_id or '':<14} {detail.message}"


def _conclude(log: Any) -> Outcome:
    if log.status == ERROR:
        return Outcome(log.name, False, str(log.error_summary or "no reason was recorded"))
    summary = (
        f"{log.total_after:,} open orders: {log.inserted:,} new, {log.updated:,} changed, "
        f"{log.deleted:,} closed, {log.rejected:,} rejected"
    )
    return Outcome(log.name, True, summary)

"""The strip of the last 24 hours: a cell for each run that should have been, so that gaps show."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from open_orders.job_status import JobStatus
from open_orders.web.numbers import duration
from open_orders.web.reading import is_interrupted
from open_orders.web.verdict_queries import LogRow

WINDOW = timedelta(hours=24)
# Times the usual duration above which a cell is one step taller.
SLOWER = (0.75, 1.3, 2.0)
HEIGHTS = len(SLOWER) + 1
SCHEDULED_PREFIX = "scheduled__"

Outcome = Literal["success", "error", "interrupted", "processing", "missed", "due", "before"]
WORDS: dict[Outcome, str] = {
    "success": "success",
    "error": "error",
    "interrupted": "interrupted",
    "processing": "processing",
    "missed": "never started",
    "due": "due now",
    "before": "before the first run",
}


@dataclass(frozen=True)
class Cell:
    """One expected run: the moment it was due, what became of it, and its log.

    until: when the next one was due. height: 1 to 4, taller is slower than the usual run of these 24 hours.
    """

    at: datetime
    until: datetime
    outcome: Outcome
    name: str | None = None
    duration_s: float | None = None
    error: str | None = None
    height: int = HEIGHTS

    @property
    def words(self) -> str:
        """The cell for a screen reader and a tooltip, its time left out."""
        took = f" in {duration(self.duration_s)}" if self.duration_s is not None else ""
        error = f": {self.error}" if self.error else ""
        return f"{WORDS[self.outcome]}{took}{error}"


def build_cells(logs: list[LogRow], slots: list[datetime], first_start: datetime | None, now: datetime) -> list[Cell]:
    """Return a cell for each scheduled moment; logs are oldest first.

    A slot shows its scheduled run. If there was none but somebody ran the sync by hand within the slot, it shows that.
    """
    by_slot = _assign(logs, slots)
    durations = [seconds for log in by_slot.values() if (seconds := _seconds(log)) is not None]
    usual = median(durations) if durations else 0.0
    cells = []
    for number, at in enumerate(slots):
        until = slots[number + 1] if number + 1 < len(slots) else max(now, at)
        log = by_slot.get(at)
        if log is not None:
            cells.append(_cell_of_log(log, at, until, usual, now))
        elif first_start is None or until <= first_start:
            cells.append(Cell(at, until, "before"))
        else:
            # The last slot is not over: its run may still come.
            cells.append(Cell(at, until, "due" if number + 1 == len(slots) else "missed"))
    return cells


def _assign(logs: list[LogRow], slots: list[datetime]) -> dict[datetime, LogRow]:
    known = set(slots)
    scheduled: dict[datetime, LogRow] = {}
    others: dict[datetime, LogRow] = {}
    for log in logs:
        due = _due_at(log)
        if due in known:
            scheduled[due] = log
        elif slots and log.started_at >= slots[0]:
            others[slots[bisect_right(slots, log.started_at) - 1]] = log
    return others | scheduled


def _due_at(log: LogRow) -> datetime | None:
    """Return the moment for which Airflow's scheduler made the run, which its id says."""
    if not log.run_id.startswith(SCHEDULED_PREFIX):
        return None
    try:
        return datetime.fromisoformat(log.run_id.removeprefix(SCHEDULED_PREFIX))
    except ValueError:
        return None


def _cell_of_log(log: LogRow, at: datetime, until: datetime, usual: float, now: datetime) -> Cell:
    seconds = _seconds(log)
    return Cell(at, until, _outcome(log, now), log.name, seconds, log.error_summary, _height(seconds, usual))


def _height(seconds: float | None, usual: float) -> int:
    """Return 1 for fast, 2 for as usual, 3 for slow, 4 for more than twice the usual duration."""
    if seconds is None or usual <= 0:
        return HEIGHTS
    return 1 + sum(seconds > usual * times for times in SLOWER)


def _outcome(log: LogRow, now: datetime) -> Outcome:
    if is_interrupted(log.status, log.heartbeat_at, now):
        return "interrupted"
    if log.status == JobStatus.SUCCESS:
        return "success"
    return "error" if log.status == JobStatus.ERROR else "processing"


def _seconds(log: LogRow) -> float | None:
    return None if log.completed_at is None else (log.completed_at - log.started_at).total_seconds()

"""The verdict: can I trust the list right now, and did the sync run, all night."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from open_orders.job_status import JobStatus
from open_orders.web import schedule
from open_orders.web.airflow_dag import DagState, read_dag_state
from open_orders.web.auth import SYNC_DAG_ID
from open_orders.web.numbers import ago
from open_orders.web.strip import WINDOW, Cell, build_cells
from open_orders.web.verdict_queries import LogRow, read_first_start, read_last_success, read_latest, read_logs_since

Level = Literal["green", "amber", "red", "unknown"]
# A run that is due gets this long before its interval counts as missed.
GRACE = timedelta(seconds=60)
# Of a job without a schedule: enough to find one that has ended.
LOOKED_AT = 20


@dataclass(frozen=True)
class JobLogRef:
    """A job log and when it was completed."""

    name: str
    completed_at: datetime


@dataclass(frozen=True)
class Verdict:
    """The answer, and what it rests on; the counts are of the last 24 hours.

    level: green; amber after two intervals without a success, when the last run failed, or when the DAG is paused;
    red after three intervals; unknown before the first run.
    amber_at, red_at: when the level will be that, if nothing succeeds before; None before the first run, and of a job
    without a schedule.
    paused, next_run_at: None when Airflow does not say.
    """

    job: str
    level: Level
    headline: str
    last_success: JobLogRef | None
    expected: int
    succeeded: int
    errors: int
    missed: int
    next_run_at: datetime | None
    paused: bool | None
    amber_at: datetime | None
    red_at: datetime | None
    cells: list[Cell]
    now: datetime

    @property
    def sentence(self) -> str:
        """The verdict in one line of text."""
        if self.last_success is None:
            last = "Never succeeded"
        else:
            last = f"Last success {ago((self.now - self.last_success.completed_at).total_seconds())}"
        return " · ".join([self.headline, last, *([self.tally] if self.cells else [])])

    @property
    def tally(self) -> str:
        """What became of the expected runs, in words."""
        errors = f"{self.errors} error{'' if self.errors == 1 else 's'}"
        return f"{self.succeeded} of {self.expected} expected runs in 24 h succeeded · {errors} · {self.missed} missed"

    @property
    def sync_is_usable(self) -> bool:
        """Whether a monitor should be content."""
        return self.level in ("green", "amber")


def read_verdict(session: Session, now: datetime, job: str = SYNC_DAG_ID) -> Verdict:
    """Return the verdict on a job, from three selects on the orders database and one on Airflow's.

    Of a job without a schedule in cron's words nothing is expected: it is as good as its last run.
    """
    dag = read_dag_state(job)
    if job != SYNC_DAG_ID and not schedule.is_known(dag.cron):
        return _judge_last(job, read_latest(session, job, LOOKED_AT), read_last_success(session, job), dag, now)
    logs = read_logs_since(session, job, now - WINDOW - schedule.interval(dag.cron, now))
    return judge(job, logs, read_last_success(session, job), read_first_start(session, job), dag, now)


def judge(
    job: str,
    logs: list[LogRow],
    last_success: LogRow | None,
    first_start: datetime | None,
    dag: DagState,
    now: datetime,
) -> Verdict:
    """Return the verdict on the logs of the last day, oldest first, of which nothing is expected before the first."""
    cells = build_cells(logs, schedule.slots(dag.cron, now - WINDOW, now), first_start, now)
    counts = {outcome: sum(cell.outcome == outcome for cell in cells) for outcome in {cell.outcome for cell in cells}}
    since = last_success.completed_at if last_success else first_start
    amber_at, red_at = _thresholds(dag.cron, since)
    level, headline = _level(logs, bool(last_success), amber_at, red_at, dag, now)
    failed = counts.get("error", 0) + counts.get("interrupted", 0)
    return Verdict(
        job=job,
        level=level,
        headline=headline,
        last_success=_ref(last_success),
        expected=sum(counts.get(outcome, 0) for outcome in ("success", "processing", "missed")) + failed,
        succeeded=counts.get("success", 0),
        errors=failed,
        missed=counts.get("missed", 0),
        next_run_at=dag.next_run_at,
        paused=dag.is_paused,
        amber_at=amber_at,
        red_at=red_at,
        cells=cells,
        now=now,
    )


def _judge_last(job: str, latest: list[LogRow], success: LogRow | None, dag: DagState, now: datetime) -> Verdict:
    """Return the verdict on a job of which no runs are expected; latest is newest first."""
    level: Level = "unknown"
    headline = "First run not finished" if latest else "No runs yet"
    if _has_failed(latest[::-1]):
        level, headline = "amber", "Last run failed"
    elif success:
        level, headline = "green", "Last run succeeded"
    return Verdict(
        job=job,
        level=level,
        headline=headline,
        last_success=_ref(success),
        expected=0,
        succeeded=0,
        errors=0,
        missed=0,
        next_run_at=dag.next_run_at,
        paused=dag.is_paused,
        amber_at=None,
        red_at=None,
        cells=[],
        now=now,
    )


def _has_failed(logs: list[LogRow]) -> bool:
    """Return whether the last of these logs that ended is an error."""
    ended = [log for log in logs if log.status in (JobStatus.SUCCESS, JobStatus.ERROR)]
    return bool(ended) and ended[-1].status == JobStatus.ERROR


def _ref(log: LogRow | None) -> JobLogRef | None:
    return JobLogRef(log.name, log.completed_at) if log and log.completed_at else None


def _thresholds(cron: str | None, since: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return when two, and when three, intervals after a success will have gone by without another."""
    if since is None:
        return None, None
    _, second, third = schedule.following(cron, since, 3)
    return second + GRACE, third + GRACE


def _level(
    logs: list[LogRow],
    ever_succeeded: bool,
    amber_at: datetime | None,
    red_at: datetime | None,
    dag: DagState,
    now: datetime,
) -> tuple[Level, str]:
    if amber_at is None or red_at is None:
        return "unknown", "Paused, no runs yet" if dag.is_paused else "No runs yet"
    if now >= red_at:
        return "red", "Not syncing: the DAG is paused" if dag.is_paused else "Not syncing"
    if dag.is_paused:
        return "amber", "Paused"
    if now >= amber_at:
        return "amber", "Late"
    if _has_failed(logs):
        return "amber", "Last run failed"
    return ("green", "Healthy") if ever_succeeded else ("unknown", "First run not finished")

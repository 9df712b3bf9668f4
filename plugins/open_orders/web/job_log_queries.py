"""What the pages of the job logs read: each function is one select, however many logs there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select, true, tuple_, union_all
from sqlalchemy.orm import Session

from open_orders.execution import OUTSIDE
from open_orders.job_status import OPEN_STATUSES, JobStatus
from open_orders.models import JobLog, JobLogDetail
from open_orders.settings import load_settings
from open_orders.web.job_log_filter import STATUSES, JobLogFilter, Position, status_clause
from open_orders.web.job_log_search import Search
from open_orders.web.reading import INTERRUPTED, ShownStatus, interrupted_clause, is_interrupted

PAGE = 25
# Counting further would take longer than the list itself; the page then says "1,000+".
COUNT_LIMIT = 1000
# A warning about the run as a whole is at its end; a log of more messages than these is one of many batches.
WARNING_LINES = 1000
BATCH = re.compile(r"Batch ([\d,]+)/([\d,]+)")
IS_OPEN = JobLog.status.in_([int(status) for status in OPEN_STATUSES])
NEWEST_FIRST = (JobLog.created_at.desc(), JobLog.id.desc())
OLDEST_FIRST = (JobLog.created_at, JobLog.id)


@dataclass(frozen=True)
class LogView:
    """A job log at a moment, with what is derived from it, and the last warning of a success."""

    log: JobLog
    now: datetime
    batches: tuple[int, int] | None = None
    warning: str | None = None

    @property
    def status(self) -> ShownStatus:
        """The status as a reader sees it."""
        return INTERRUPTED if self.interrupted else JobStatus(self.log.status).word

    @property
    def interrupted(self) -> bool:
        """Whether the log is open although nobody works on it any more."""
        return is_interrupted(self.log.status, self.log.heartbeat_at, self.now)

    @property
    def is_active(self) -> bool:
        """Whether the run is under way."""
        return self.log.status in OPEN_STATUSES and not self.interrupted

    @property
    def is_outside(self) -> bool:
        """Whether the job ran in a process of its own, of which Airflow knows nothing."""
        return self.log.run_id.startswith(OUTSIDE)

    @property
    def has_run(self) -> bool:
        """Whether Airflow still has the run, as far as its history is kept."""
        kept_since = self.now - timedelta(days=load_settings().airflow_history_days)
        return not self.is_outside and (self.log.run_started_at or self.log.started_at) >= kept_since

    @property
    def duration(self) -> timedelta:
        """How long the run took, so far, or until its last sign of life."""
        end = self.log.completed_at or (self.log.heartbeat_at if self.interrupted else self.now)
        return end - self.log.started_at


@dataclass(frozen=True)
class Page:
    """A part of the list, newest first, and the positions of the pages beside it, where there are any."""

    logs: list[LogView]
    newer: str | None
    older: str | None


def read_page(
    session: Session,
    chosen: JobLogFilter,
    found: Search,
    position: Position | None,
    now: datetime,
    limit: int = PAGE,
) -> Page:
    """Return the logs of one page, with the batches of those that run and warnings of those that succeeded.

    Three selects.
    """
    newer = position is not None and position.newer
    statement = select(JobLog).where(*chosen.clauses(now), *found.clauses()).limit(limit + 1)
    statement = statement.order_by(*(OLDEST_FIRST if newer else NEWEST_FIRST))
    if position:
        statement = statement.where(position.clause)
    logs = list(session.scalars(statement))
    more, logs = len(logs) > limit, logs[:limit]
    if newer:
        logs.reverse()
    has_newer, has_older = (more, True) if newer else (position is not None, more)
    progress = read_progress(session, [log.id for log in logs])
    warnings = read_warnings(session, [log.id for log in logs])
    return Page(
        [LogView(log, now, progress.get(log.id), warnings.get(log.id)) for log in logs],
        Position(logs[0].created_at, logs[0].id).text if logs and has_newer else None,
        Position(logs[-1].created_at, logs[-1].id).text if logs and has_older else None,
    )


def read_progress(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return, of those logs that are open, the last batch and how many there are, from what they said last."""
    # Not from the pipeline's working table: a page that reads it would hold up the next run's TRUNCATE.
    last = (
        select(JobLogDetail.message)
        .where(JobLogDetail.job_log_id == JobLog.id, JobLogDetail.message.startswith("Batch "))
        .order_by(JobLogDetail.id.desc())
        .limit(1)
        .lateral()
    )
    statement = select(JobLog.id, last.c.message).join(last, true()).where(JobLog.id.in_(ids), IS_OPEN)
    matches = {job_log_id: BATCH.match(message) for job_log_id, message in session.execute(statement)}
    return {
        job_log_id: (int(match[1].replace(",", "")), int(match[2].replace(",", "")))
        for job_log_id, match in matches.items()
        if match
    }


def read_warnings(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return, of those logs that succeeded, the last warning, if any; rejected rows have a column of their own."""
    columns = (JobLogDetail.id, JobLogDetail.level, JobLogDetail.message)
    newest = select(*columns).where(JobLogDetail.job_log_id == JobLog.id).order_by(JobLogDetail.id.desc())
    recent = newest.limit(WARNING_LINES).correlate(JobLog).subquery()
    last = (
        select(recent.c.message)
        .where(recent.c.level == "warning", ~recent.c.message.startswith("Batch "))
        .order_by(recent.c.id.desc())
        .limit(1)
        .lateral()
    )
    statement = select(JobLog.id, last.c.message).join(last, true())
    succeeded = JobLog.id.in_(ids), JobLog.status == int(JobStatus.SUCCESS)
    return {row[0]: row[1] for row in session.execute(statement.where(*succeeded))}


def count_by_status(session: Session, chosen: JobLogFilter, found: Search, now: datetime) -> dict[str, int]:
    """Return how many logs the filter would keep with each status; above COUNT_LIMIT that plus one."""
    counts = []
    for status in STATUSES:
        conditions = (status_clause(status, now), *chosen.clauses(now, any_status=True), *found.clauses())
        # In the order of the indexes: else PostgreSQL takes the first rows of the table, and may have to look at all.
        kept = select(JobLog.id).where(*conditions).order_by(*NEWEST_FIRST)
        counts.append(select(literal(status), func.count()).select_from(kept.limit(COUNT_LIMIT + 1).subquery()))
    return {row[0]: row[1] for row in session.execute(union_all(*counts))}


def read_jobs(session: Session) -> list[str]:
    """Return the names of all jobs; steps from one to the next along the index on (job_name, created_at, id)."""
    first = select(func.min(JobLog.job_name).label("job_name")).cte("jobs", recursive=True)
    following = select(func.min(JobLog.job_name)).where(JobLog.job_name > first.c.job_name).scalar_subquery()
    jobs = first.union_all(select(following).where(first.c.job_name.is_not(None)))
    return list(session.scalars(select(jobs.c.job_name).where(jobs.c.job_name.is_not(None))))


def read_active(session: Session, job: str, now: datetime) -> str | None:
    """Return the name of the run of a job that is under way, if there is one."""
    statement = select(JobLog.name).where(JobLog.job_name == job, IS_OPEN, ~interrupted_clause(now))
    return session.scalar(statement.limit(1))


@dataclass(frozen=True)
class Activity:
    """What an open page asks again and again: how many runs are under way, and whether anything happened."""

    active: int
    version: str


def read_activity(session: Session, now: datetime) -> Activity:
    """Return a version that changes when a log is opened, moves on, ends, or becomes interrupted."""
    newest = select(func.coalesce(func.max(JobLog.id), 0)).scalar_subquery()
    running = select(func.count()).where(IS_OPEN, ~interrupted_clause(now)).scalar_subquery()
    open_logs = select(func.coalesce(func.string_agg(func.concat(JobLog.id, "@", JobLog.updated_at), ","), ""))
    newest_id, active, moved = session.execute(
        select(newest, running, open_logs.where(IS_OPEN).scalar_subquery())
    ).one()
    return Activity(active, f"{newest_id}/{active}/{moved}")


def find_by_name(session: Session, name: str) -> JobLog | None:
    """Return the log with a name."""
    return session.scalar(select(JobLog).where(JobLog.name == name))


def find_by_run(session: Session, dag_id: str, run_id: str) -> JobLog | None:
    """Return the log of a DAG run."""
    return session.scalar(select(JobLog).where(JobLog.dag_id == dag_id, JobLog.run_id == run_id))


def logs_itself(session: Session, dag_id: str) -> bool:
    """Return whether any run of a DAG has a log."""
    return session.scalar(select(JobLog.id).where(JobLog.dag_id == dag_id).limit(1)) is not None


@dataclass(frozen=True)
class Neighbours:
    """The logs of the same job before and after one, and the last that succeeded, be it before or after."""

    previous: JobLog | None
    next: JobLog | None
    last_success: JobLog | None


def read_neighbours(session: Session, log: JobLog) -> Neighbours:
    """Return what is beside a log, in one select."""
    here = tuple_(JobLog.created_at, JobLog.id)
    there = tuple_(literal(log.created_at), literal(log.id))
    parts: dict[str, tuple[Any, Any]] = {
        "previous": (here < there, NEWEST_FIRST),
        "next": (here > there, OLDEST_FIRST),
        "last_success": (JobLog.status == int(JobStatus.SUCCESS), NEWEST_FIRST),
    }
    selects = []
    for part, (condition, order) in parts.items():
        same_job = select(JobLog.id).where(JobLog.job_name == log.job_name, condition).order_by(*order).limit(1)
        selects.append(select(literal(part).label("part"), same_job.subquery().c.id))
    found = union_all(*selects).subquery()
    statement = select(found.c.part, JobLog).join(JobLog, JobLog.id == found.c.id)
    logs: dict[str, JobLog] = {row[0]: row[1] for row in session.execute(statement)}
    return Neighbours(logs.get("previous"), logs.get("next"), logs.get("last_success"))

"""What the verdict on a job reads: the logs of a day, the last success, the first log. Each uses an index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from open_orders.job_status import JobStatus
from open_orders.models import JobLog

COLUMNS = (
    JobLog.name,
    JobLog.status,
    JobLog.trigger,
    JobLog.run_id,
    JobLog.started_at,
    JobLog.completed_at,
    JobLog.heartbeat_at,
    JobLog.error_summary,
)


def _of(job: str) -> Any:
    return select(*COLUMNS).where(JobLog.job_name == job)


@dataclass(frozen=True)
class LogRow:
    """A job log, as far as the verdict looks at it."""

    name: str
    status: int
    trigger: str
    run_id: str
    started_at: datetime
    completed_at: datetime | None
    heartbeat_at: datetime
    error_summary: str | None


def read_logs_since(session: Session, job: str, since: datetime) -> list[LogRow]:
    """Return a job's logs created since then, oldest first."""
    statement = _of(job).where(JobLog.created_at >= since).order_by(JobLog.created_at, JobLog.id)
    return [LogRow(*row) for row in session.execute(statement)]


def read_last_success(session: Session, job: str) -> LogRow | None:
    """Return the newest log of a job that succeeded."""
    statement = _of(job).where(JobLog.status == int(JobStatus.SUCCESS)).order_by(JobLog.created_at.desc()).limit(1)
    row = session.execute(statement).one_or_none()
    return None if row is None else LogRow(*row)


def read_first_start(session: Session, job: str) -> datetime | None:
    """Return when the oldest log that is kept of a job began."""
    statement = select(JobLog.started_at).where(JobLog.job_name == job).order_by(JobLog.created_at).limit(1)
    return session.scalar(statement)


def read_latest(session: Session, job: str, count: int) -> list[LogRow]:
    """Return the newest logs of a job, newest first."""
    statement = _of(job).order_by(JobLog.created_at.desc(), JobLog.id.desc()).limit(count)
    return [LogRow(*row) for row in session.execute(statement)]

"""What the verdict reads: the logs of a day, the last success, the first log. Each uses an index on created_at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from open_orders.job_status import JobStatus
from open_orders.models import JobLog
from open_orders.web.auth import SYNC_DAG_ID

OF_SYNC = select(
    JobLog.name,
    JobLog.status,
    JobLog.trigger,
    JobLog.run_id,
    JobLog.started_at,
    JobLog.completed_at,
    JobLog.heartbeat_at,
    JobLog.error_summary,
).where(JobLog.job_name == SYNC_DAG_ID)


@dataclass(frozen=True)
class LogRow:
    """A job log of the sync, as far as the verdict looks at it."""

    name: str
    status: int
    trigger: str
    run_id: str
    started_at: datetime
    completed_at: datetime | None
    heartbeat_at: datetime
    error_summary: str | None


def read_logs_since(session: Session, since: datetime) -> list[LogRow]:
    """Return the sync's logs created since then, oldest first."""
    statement = OF_SYNC.where(JobLog.created_at >= since).order_by(JobLog.created_at, JobLog.id)
    return [LogRow(*row) for row in session.execute(statement)]


def read_last_success(session: Session) -> LogRow | None:
    """Return the newest log of the sync that succeeded."""
    statement = OF_SYNC.where(JobLog.status == int(JobStatus.SUCCESS)).order_by(JobLog.created_at.desc()).limit(1)
    row = session.execute(statement).one_or_none()
    return None if row is None else LogRow(*row)


def read_first_start(session: Session) -> datetime | None:
    """Return when the oldest log that is kept of the sync began."""
    statement = select(JobLog.started_at).where(JobLog.job_name == SYNC_DAG_ID).order_by(JobLog.created_at).limit(1)
    return session.scalar(statement)


def read_latest(session: Session, count: int) -> list[LogRow]:
    """Return the newest logs of the sync, newest first."""
    statement = OF_SYNC.order_by(JobLog.created_at.desc(), JobLog.id.desc()).limit(count)
    return [LogRow(*row) for row in session.execute(statement)]

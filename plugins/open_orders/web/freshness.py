"""How fresh the open orders are: which sync published them, and what became of the syncs since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from open_orders.job_status import OPEN_STATUSES, JobStatus
from open_orders.models import JobLog
from open_orders.web import api_types
from open_orders.web.api_types import iso
from open_orders.web.auth import SYNC_DAG_ID
from open_orders.web.numbers import visible
from open_orders.web.problems import NotFoundError
from open_orders.web.reading import ShownStatus, is_interrupted
from open_orders.web.verdict import Level, read_verdict

State = Literal["never_synced", "first_sync_running", "up_to_date", "last_sync_failed", "syncing"]

OF_SYNC = select(
    JobLog.id,
    JobLog.name,
    JobLog.status,
    JobLog.started_at,
    JobLog.completed_at,
    JobLog.heartbeat_at,
    JobLog.rejected,
    JobLog.inserted,
    JobLog.updated,
    JobLog.deleted,
    JobLog.total_after,
    JobLog.error_summary,
).where(JobLog.job_name == SYNC_DAG_ID)


@dataclass(frozen=True)
class Sync:
    """One sync, as its job log says."""

    id: int
    name: str
    status: int
    started_at: datetime
    completed_at: datetime | None
    heartbeat_at: datetime
    rejected: int | None
    inserted: int | None
    updated: int | None
    deleted: int | None
    total_after: int | None
    error_summary: str | None

    @property
    def changes(self) -> int:
        """Orders that it inserted, changed or closed."""
        return (self.inserted or 0) + (self.updated or 0) + (self.deleted or 0)

    @property
    def filled_empty_table(self) -> bool:
        """Whether it published into an empty table; such a publish records no changes one by one."""
        return bool(self.total_after) and self.inserted == self.total_after and not self.updated and not self.deleted


@dataclass(frozen=True)
class Freshness:
    """Where the open orders come from.

    published is the sync whose data they are, None when none ever succeeded; latest is the newest one, whatever became
    of it. level, and when it will be amber or red, are those of the verdict.
    """

    state: State
    level: Level
    headline: str
    amber_at: datetime | None
    red_at: datetime | None
    published: Sync | None
    latest: Sync | None
    latest_interrupted: bool
    paused: bool | None
    next_run_at: datetime | None

    @property
    def as_of(self) -> datetime | None:
        """The moment that the data is of: the start of the sync that read it, None when there is none."""
        return self.published.started_at if self.published else None

    @property
    def published_id(self) -> int | None:
        """The id of the job log that published."""
        return self.published.id if self.published else None

    def to_json(self) -> api_types.Freshness:
        """Return it as the API gives it."""
        return {
            "state": self.state,
            "level": self.level,
            "data_as_of": iso(self.as_of),
            "lines": self.published.total_after if self.published else None,
            "rejected": self.published.rejected if self.published else None,
            "published_by": self.published.name if self.published else None,
            "latest_sync": self.latest.name if self.latest else None,
            "latest_status": self._latest_word(),
            "latest_error": self.latest.error_summary if self.latest else None,
            "paused": self.paused,
            "next_run_at": iso(self.next_run_at),
        }

    def _latest_word(self) -> ShownStatus | None:
        if self.latest is None:
            return None
        return "interrupted" if self.latest_interrupted else JobStatus(self.latest.status).word


def read_freshness(session: Session, now: datetime) -> Freshness:
    """Return the freshness at a moment."""
    published = read_published(session)
    latest = _first(session, OF_SYNC)
    verdict = read_verdict(session, now)
    interrupted = latest is not None and is_interrupted(latest.status, latest.heartbeat_at, now)
    return Freshness(
        state=_state(published, latest, interrupted),
        level=verdict.level,
        headline=verdict.headline,
        amber_at=verdict.amber_at,
        red_at=verdict.red_at,
        published=published,
        latest=latest,
        latest_interrupted=interrupted,
        paused=verdict.paused,
        next_run_at=verdict.next_run_at,
    )


def read_published(session: Session) -> Sync | None:
    """Return the sync whose data the open orders are."""
    return _first(session, OF_SYNC.where(JobLog.status == int(JobStatus.SUCCESS)))


def read_sync(session: Session, name: str) -> Sync:
    """Return the sync of that name; raises NotFoundError."""
    # No stored text holds a NUL character, and PostgreSQL takes none for a parameter.
    row: Any = None if "\x00" in name else session.execute(OF_SYNC.where(JobLog.name == name)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no sync {visible(name)}.")
    return Sync(*row)


def _first(session: Session, statement: Any) -> Sync | None:
    row: Any = session.execute(statement.order_by(JobLog.created_at.desc(), JobLog.id.desc()).limit(1)).one_or_none()
    return None if row is None else Sync(*row)


def _state(published: Sync | None, latest: Sync | None, interrupted: bool) -> State:
    running = latest is not None and JobStatus(latest.status) in OPEN_STATUSES and not interrupted
    if published is None:
        return "first_sync_running" if running else "never_synced"
    if latest is None or latest.id == published.id:
        return "up_to_date"
    return "syncing" if running else "last_sync_failed"

"""Interrupted: a reading of a job log at this moment, never stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, and_

from open_orders.job_status import OPEN_STATUSES, JobStatus, StatusWord
from open_orders.models import JobLog
from open_orders.settings import load_settings

INTERRUPTED: Final = "interrupted"
# What a reader is shown.
ShownStatus = StatusWord | Literal["interrupted"]


def interrupted_before(now: datetime) -> datetime:
    """Return the moment: an open job log whose last heartbeat is older counts as interrupted."""
    return now - timedelta(seconds=load_settings().dead_after_s)


def is_interrupted(status: JobStatus | int, heartbeat_at: datetime, now: datetime) -> bool:
    """Return whether a job log is open although its run has not been heard of for too long."""
    return JobStatus(status) in OPEN_STATUSES and heartbeat_at < interrupted_before(now)


def interrupted_clause(now: datetime) -> ColumnElement[bool]:
    """Return `is_interrupted` as a condition on `job_logs`."""
    return and_(
        JobLog.status.in_([int(status) for status in OPEN_STATUSES]), JobLog.heartbeat_at < interrupted_before(now)
    )

"""How a job stands, and whether that has changed: the rules by which an alert is sent, and sent once.

A job is well; failing, after so many runs that failed in a row; or overdue, when no run succeeded for so long although
Airflow should have run it. Broken in either way it stays until a run succeeds: one outage, one alert, one recovery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from open_orders.settings import Settings

State = Literal["well", "failing", "overdue"]


@dataclass(frozen=True)
class Standing:
    """How a job was last seen to stand, as stored in `job_alerts`.

    since: when it broke, or works again. job_log_id: the log that shows it. due_since, due_at: since when a success is
    awaited and when the next run is due; None while Airflow isn't expected to run the job by itself.
    """

    job_name: str
    state: State
    since: datetime
    reason: str | None = None
    job_log_id: int | None = None
    due_since: datetime | None = None
    due_at: datetime | None = None

    @property
    def is_well(self) -> bool:
        """Whether nobody has to be told."""
        return self.state == "well"


@dataclass(frozen=True)
class Record:
    """What a job's logs say now: its last success, the failures after it, and a run that is alive."""

    now: datetime
    success_id: int | None = None
    success_name: str | None = None
    succeeded_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    failed_id: int | None = None
    failed_name: str | None = None
    error_summary: str | None = None
    running_since: datetime | None = None


@dataclass(frozen=True)
class Outlook:
    """What Airflow means to do with a job: nothing while it is paused; without a schedule `next_run_at` is None."""

    is_paused: bool
    next_run_at: datetime | None

    @property
    def is_expected(self) -> bool:
        """Whether the job should run by itself."""
        return not self.is_paused and self.next_run_at is not None


def judge(before: Standing, record: Record, settings: Settings, outlook: Outlook | None = None) -> Standing:
    """Return how a job stands now; only with Airflow's outlook it can be overdue, and a paused one doesn't break."""
    if outlook is not None:
        before = _expect(before, record, outlook)
    if not before.is_well:
        return _recovered(before, record) if _is_mended(before, record, settings) else before
    if outlook is not None and outlook.is_paused:
        return before
    if record.failures >= settings.alert_after_failures:
        return replace(
            before,
            state="failing",
            since=record.failing_since or record.now,
            reason=record.error_summary,
            job_log_id=record.failed_id,
        )
    if outlook is not None and _is_overdue(before, record, timedelta(seconds=settings.alert_after_s)):
        return replace(
            before,
            state="overdue",
            since=before.due_since or record.now,
            reason=_reason_of_silence(record),
            job_log_id=record.failed_id if record.failures else record.success_id,
        )
    return before


def _expect(before: Standing, record: Record, outlook: Outlook) -> Standing:
    """Note since when a success is awaited; the time that a job was paused doesn't count."""
    if not outlook.is_expected:
        return replace(before, due_since=None, due_at=None)
    if before.due_since is None:
        return replace(before, due_since=record.now, due_at=outlook.next_run_at)
    if record.succeeded_at is not None and record.succeeded_at > before.due_since:
        return replace(before, due_since=record.succeeded_at, due_at=outlook.next_run_at)
    return before


def _is_mended(before: Standing, record: Record, settings: Settings) -> bool:
    # A failed run that is cleared is no failure any more, and no success yet.
    return (
        record.succeeded_at is not None
        and record.succeeded_at > before.since
        and record.failures < settings.alert_after_failures
    )


def _recovered(before: Standing, record: Record) -> Standing:
    since = record.succeeded_at or record.now
    return replace(before, state="well", since=since, job_log_id=record.success_id)


def _is_overdue(before: Standing, record: Record, patience: timedelta) -> bool:
    if before.due_since is None or before.due_at is None:
        return False
    pause = max(before.due_at - before.due_since, timedelta())
    # A job that runs more rarely may also take longer; what is dead has no heartbeat.
    if pause > patience and record.running_since is not None:
        return False
    return record.now > max(before.due_since + patience, before.due_at + min(pause, patience))


def _reason_of_silence(record: Record) -> str:
    if record.failures:
        return f"the last run failed: {record.error_summary}"
    if record.running_since is not None:
        return f"a run is in progress since {written(record.running_since)}"
    return "no run began; is Airflow's scheduler at work?"


def written(moment: datetime) -> str:
    """Return a moment as alerts and job logs write it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

"""What an alert says: what happened to which job, since when, why, and where to read on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from open_orders.execution import RunEnd
from open_orders.job_standing import Record, Standing, written
from open_orders.settings import Settings


@dataclass(frozen=True)
class Message:
    """An alert's subject and text."""

    title: str
    body: str


def describe(before: Standing, after: Standing, record: Record, settings: Settings, base_url: str) -> Message:
    """Return the alert about a job that broke, or that works again."""
    if after.is_well:
        return _describe_recovery(before, after, record, base_url)
    return _describe_break(after, record, settings, base_url)


def _describe_break(after: Standing, record: Record, settings: Settings, base_url: str) -> Message:
    job = after.job_name
    if after.state == "overdue":
        title = f"{job} did not succeed for {duration(timedelta(seconds=settings.alert_after_s))}"
        what = f"{title}, although it should have run"
    elif record.failures > 1:
        title = f"{job} failed {record.failures:,} times in a row"
        what = title
    else:
        title = what = f"{job} failed"
    last = f"last success {written(record.succeeded_at)}" if record.succeeded_at else "it never succeeded before"
    name = record.failed_name if record.failures else record.success_name
    return Message(
        title,
        _lines(
            What=what,
            Since=f"{written(after.since)} ({last})",
            Why=after.reason or "no reason was recorded",
            **{"Job log": job_log_address(base_url, name)},
        ),
    )


def _describe_recovery(before: Standing, after: Standing, record: Record, base_url: str) -> Message:
    title = f"{after.job_name} works again"
    broken = "failed" if before.state == "failing" else "had no success"
    return Message(
        title,
        _lines(
            What=title,
            Since=f"{written(after.since)}; it {broken} since {written(before.since)}, "
            f"for {duration(after.since - before.since)}",
            Why=f"a run succeeded; before: {before.reason or 'no reason was recorded'}",
            **{"Job log": job_log_address(base_url, record.success_name)},
        ),
    )


def describe_unlogged(end: RunEnd, since: datetime, reason: str, base_url: str) -> Message:
    """Return the alert about a run that failed and could not be logged."""
    title = f"{end.dag_id} failed"
    run = f"{base_url.rstrip('/')}/dags/{quote(end.dag_id, safe='')}/runs/{quote(end.run_id, safe='')}"
    return Message(
        title,
        _lines(What=f"{title}, and could not write its job log", Since=written(since), Why=reason, Run=run),
    )


def job_log_address(base_url: str, name: str | None) -> str:
    """Return where a job log is shown, or the list of them."""
    return f"{base_url.rstrip('/')}/job_logs/{quote(name or '', safe='')}"


def duration(time: timedelta) -> str:
    """Return a time in words, as coarse as a person says it: `50 seconds`, `15 minutes`, `3 hours`."""
    seconds = time.total_seconds()
    for unit, size, most in (("second", 1, 120), ("minute", 60, 120 * 60), ("hour", 3600, 48 * 3600)):
        if seconds < most:
            return _count(round(seconds / size), unit)
    return _count(round(seconds / 86_400), "day")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _lines(**facts: str) -> str:
    return "\n".join(f"{name}: {fact}" for name, fact in facts.items())

"""What the last runs say together: how long they took, and which errors keep coming back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from open_orders.job_status import JobStatus
from open_orders.models import JobLog

TREND_RUNS = 50
ERRORS_SINCE = timedelta(days=7)
MAX_ERRORS = 500
WIDTH, HEIGHT = 500, 48
# Slower than twice the usual, and by more than the noise of a scheduler.
SLOW_FACTOR, SLOW_AT_LEAST_S = 2, 2.0


@dataclass(frozen=True)
class Bar:
    """One run in the chart; x, y, width and height are of an SVG of WIDTH by HEIGHT."""

    name: str
    failed: bool
    slow: bool
    seconds: float
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Trend:
    """How long the last runs of a job took, oldest first."""

    job: str
    bars: list[Bar]
    median_s: float | None
    slowest_s: float | None

    @property
    def slow(self) -> list[Bar]:
        """The runs that took much longer than usual."""
        return [bar for bar in self.bars if bar.slow]


def read_trend(session: Session, job: str) -> Trend:
    """Return the trend of a job from its last 50 ended runs."""
    statement = (
        select(JobLog.name, JobLog.status, JobLog.started_at, JobLog.completed_at)
        .where(JobLog.job_name == job, JobLog.completed_at.is_not(None))
        .order_by(JobLog.created_at.desc(), JobLog.id.desc())
        .limit(TREND_RUNS)
    )
    runs = [
        (log, status == JobStatus.ERROR, (completed_at - started_at).total_seconds())
        for log, status, started_at, completed_at in session.execute(statement)
        if completed_at
    ]
    return Trend(job, *_draw(runs[::-1]))


def _draw(runs: list[tuple[str, bool, float]]) -> tuple[list[Bar], float | None, float | None]:
    if not runs:
        return [], None, None
    good = [seconds for _, failed, seconds in runs if not failed]
    usual = median(good or [seconds for *_, seconds in runs])
    slowest = max(seconds for *_, seconds in runs)
    # One run that hung for minutes must not flatten all others: what is higher is cut off.
    top = min(slowest, max(usual * 4, 1.0)) or 1.0
    slot = WIDTH / TREND_RUNS
    offset = WIDTH - slot * len(runs)
    bars = []
    for number, (name, failed, seconds) in enumerate(runs):
        height = round(max(2.0, min(seconds / top, 1.0) * HEIGHT), 1)
        slow = not failed and seconds > usual * SLOW_FACTOR and seconds - usual > SLOW_AT_LEAST_S
        x = round(offset + number * slot + 1, 1)
        bars.append(Bar(name, failed, slow, seconds, x, round(HEIGHT - height, 1), slot - 2, height))
    return bars, usual, slowest


@dataclass
class ErrorShape:
    """Errors that differ only in numbers, names and values."""

    shape: str
    count: int
    newest: str
    newest_at: datetime


def read_error_shapes(session: Session, now: datetime) -> list[ErrorShape]:
    """Return the shapes of the errors of the last seven days, of at most 500, the most frequent first."""
    statement = (
        select(JobLog.name, JobLog.started_at, JobLog.error_summary)
        .where(JobLog.status == int(JobStatus.ERROR), JobLog.created_at >= now - ERRORS_SINCE)
        .order_by(JobLog.created_at.desc(), JobLog.id.desc())
        .limit(MAX_ERRORS)
    )
    shapes: dict[str, ErrorShape] = {}
    for name, started_at, summary in session.execute(statement):
        shape = shape_of(summary or "no reason given")
        known = shapes.setdefault(shape, ErrorShape(shape, 0, name, started_at))
        known.count += 1
    return sorted(shapes.values(), key=lambda known: -known.count)


_VARIABLE = (
    (re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”"), "‘…’"),
    (re.compile(r"\b\d{8}_\d{6}(_\d+)?\b"), "#"),
    (re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b0x[0-9a-fA-F]+\b"), "#"),
    (re.compile(r"\d+(?:[.,:\-]\d+)*"), "#"),
)


def shape_of(summary: str) -> str:
    """Return an error's text without what varies: `fetch: … after # rows`."""
    for pattern, sign in _VARIABLE:
        summary = pattern.sub(sign, summary)
    return summary

"""What the runs of a job say to Airflow's own metrics: StatsD, DogStatsD or OpenTelemetry, whichever is switched on.

Each name begins with `job_log.` and the job's name, since plain StatsD has no tags; others get the job as a tag too.
docs/metrics.md explains each.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Literal

from airflow.sdk.observability import stats

from open_orders.job_log_store import Counts

Kind = Literal["counter", "timer", "gauge"]
METRICS: dict[str, Kind] = {
    "success": "counter",
    "error": "counter",
    "duration": "timer",
    "rows.fetched": "gauge",
    "rows.imported": "gauge",
    "rows.rejected": "gauge",
    "rows.new": "gauge",
    "rows.changed": "gauge",
    "rows.closed": "gauge",
    "rows.total": "gauge",
    "last_success": "gauge",
    "success_age": "gauge",
}
# The words of the pages for what a publish did.
_ROWS = {"inserted": "new", "updated": "changed", "deleted": "closed", "total_after": "total"}


def report_success(job_name: str, duration_s: float | None, counts: Counts) -> None:
    """Report a run that ended as success, and what it did; without a duration one that only was found to be one."""
    stats.incr(_name(job_name, "success"), tags=_tags(job_name))
    if duration_s is not None:
        stats.timing(_name(job_name, "duration"), timedelta(seconds=duration_s), tags=_tags(job_name))
    for count, rows in asdict(counts).items():
        if rows is not None:
            _gauge(job_name, f"rows.{_ROWS.get(count, count)}", rows)


def report_error(job_name: str) -> None:
    """Report a run whose log was closed as error, by whomever."""
    stats.incr(_name(job_name, "error"), tags=_tags(job_name))


def report_last_success(job_name: str, completed_at: datetime, age_s: float) -> None:
    """Report when a job last succeeded: as Unix time, of which the age can be told even if nobody reports any more."""
    _gauge(job_name, "last_success", int(completed_at.timestamp()))
    _gauge(job_name, "success_age", round(max(age_s, 0), 1))


def _gauge(job_name: str, metric: str, value: float) -> None:
    stats.gauge(_name(job_name, metric), value, tags=_tags(job_name))


def _name(job_name: str, metric: str) -> str:
    return f"job_log.{stats.normalize_name_for_stats(job_name, log_warning=False).replace('.', '__')}.{metric}"


def _tags(job_name: str) -> dict[str, str]:
    return {"job_name": job_name}

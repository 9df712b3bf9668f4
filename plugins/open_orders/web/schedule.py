"""The moments at which the sync should have run, from its cron expression, in UTC as its DAG says."""

from __future__ import annotations

from datetime import datetime, timedelta

from croniter import croniter

DEFAULT_CRON = "*/5 * * * *"
# A schedule of every minute has 1,440 moments a day; more are no strip that anybody can read.
MOST_SLOTS = 1500


def slots(cron: str | None, since: datetime, until: datetime) -> list[datetime]:
    """Return the scheduled moments in (since, until], oldest first; of the default schedule when none is known."""
    times = croniter(_valid(cron), since)
    found: list[datetime] = []
    while len(found) < MOST_SLOTS:
        moment: datetime = times.get_next(datetime)
        if moment > until:
            break
        found.append(moment)
    return found


def interval(cron: str | None, now: datetime) -> timedelta:
    """Return the time between the next two scheduled moments."""
    times = croniter(_valid(cron), now)
    first: datetime = times.get_next(datetime)
    second: datetime = times.get_next(datetime)
    return second - first


def following(cron: str | None, moment: datetime, count: int) -> list[datetime]:
    """Return the next scheduled moments after a moment."""
    times = croniter(_valid(cron), moment)
    return [times.get_next(datetime) for _ in range(count)]


def _valid(cron: str | None) -> str:
    return cron if cron and croniter.is_valid(cron) else DEFAULT_CRON

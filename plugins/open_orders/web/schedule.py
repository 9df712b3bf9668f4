"""The moments at which the sync should have run, from its cron expression, in UTC as its DAG says."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile

from croniter import croniter

DEFAULT_CRON = "*/5 * * * *"
# A schedule of every minute has 1,440 moments a day; more are no strip that anybody can read.
MOST_SLOTS = 1500


def slots(cron: str | None, since: datetime, until: datetime) -> list[datetime]:
    """Return the scheduled moments in (since, until], oldest first; of the default schedule when none is known."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    found = (moment for day in days for moment in _moments(_valid(cron), day) if since < moment <= until)
    return list(islice(found, MOST_SLOTS))


@lru_cache(maxsize=16)
def _moments(cron: str, day: date) -> tuple[datetime, ...]:
    """Return the moments of a day in UTC, oldest first; remembered, for croniter takes longer than a page's queries."""
    # croniter's next moment is never the one that it is given.
    times = croniter(cron, datetime.combine(day, time(), UTC) - timedelta(seconds=1))
    upcoming = (times.get_next(datetime) for _ in range(MOST_SLOTS))
    return tuple(takewhile(lambda moment: moment.date() == day, upcoming))


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


def is_known(cron: str | None) -> bool:
    """Return whether a schedule says when runs are due; one of assets, of hand or of intervals does not."""
    return cron is not None and croniter.is_valid(cron)


def _valid(cron: str | None) -> str:
    return cron if cron and croniter.is_valid(cron) else DEFAULT_CRON

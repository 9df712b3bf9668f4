"""Which job logs a reader wants: parameters of the address, the condition they mean, and the position in the list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, literal, not_, tuple_

from open_orders.job_status import JobStatus
from open_orders.models import JobLog
from open_orders.web.auth import SYNC_DAG_ID
from open_orders.web.problems import BadRequestError
from open_orders.web.reading import INTERRUPTED, interrupted_clause

STATUSES = (*(status.word for status in JobStatus), INTERRUPTED)
PARAMETERS = ("status", "job", "q", "from", "to", "before", "after")
NAME = re.compile(r"\d{8}_\d{6}(_\d+)?")
POSITION_ID = re.compile(r"[0-9]{1,19}")
MAX_SEARCH = 200


@dataclass(frozen=True)
class JobLogFilter:
    """A choice of job logs; an empty text and None restrict nothing.

    q is looked for in names, error summaries and messages by `job_log_search`; a whole name is found whenever it was.
    since and until bound when a log was opened; until itself is left out.
    """

    status: str = ""
    job: str = ""
    q: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_set(self) -> bool:
        """Whether anything is restricted."""
        return bool(self.parameters)

    @property
    def is_name(self) -> bool:
        """Whether the text is the whole name of a job log."""
        return NAME.fullmatch(self.q) is not None

    def clauses(self, now: datetime, *, any_status: bool = False) -> list[ColumnElement[bool]]:
        """Return conditions that all have to hold, but for the text; with `any_status` those without the status."""
        found: list[ColumnElement[bool]] = []
        if self.status and not any_status:
            found.append(status_clause(self.status, now))
        if self.job:
            found.append(JobLog.job_name == self.job)
        if self.is_name:
            found.append(JobLog.name == self.q)
        if self.since:
            found.append(JobLog.created_at >= self.since)
        if self.until:
            found.append(JobLog.created_at < self.until)
        return found

    @property
    def parameters(self) -> dict[str, str]:
        """What of the filter is set, as parameters of an address."""
        times = {"from": self.since, "to": self.until}
        texts = {"status": self.status, "job": self.job, "q": self.q}
        return {name: value for name, value in texts.items() if value} | {
            name: moment.isoformat() for name, moment in times.items() if moment
        }

    def query(self, *without: str, **more: str | None) -> str:
        """Return the query of an address with this filter, apart from some parameters, and with others: `?job=a`."""
        kept = {name: value for name, value in self.parameters.items() if name not in without}
        return f"?{urlencode(kept | {name: value for name, value in more.items() if value})}"


def status_clause(status: str, now: datetime) -> ColumnElement[bool]:
    """Return the condition for a status as a reader sees it: an interrupted log is neither new nor processing."""
    if status == INTERRUPTED:
        return interrupted_clause(now)
    stored = JobStatus[status.upper()]
    same = JobLog.status == int(stored)
    return same if stored in (JobStatus.SUCCESS, JobStatus.ERROR) else same & not_(interrupted_clause(now))


def read_filter(
    status: Annotated[str, Query(description=f"One of: {', '.join(STATUSES)}")] = "",
    job: Annotated[str, Query(max_length=300, description="Name of the job")] = "",
    q: Annotated[str, Query(max_length=MAX_SEARCH, description="Part of a name, an error or a message")] = "",
    since: Annotated[str, Query(alias="from", description="ISO time; without a zone UTC")] = "",
    until: Annotated[str, Query(alias="to", description="ISO time, exclusive; without a zone UTC")] = "",
) -> JobLogFilter:
    """Return the filter of a request; raises BadRequestError for what is no status or no time."""
    if status and status not in STATUSES:
        raise BadRequestError(f"status={status}: expected one of {', '.join(STATUSES)}")
    _refuse_nul(q + job)
    return JobLogFilter(status, job, q.strip(), _moment("from", since), _moment("to", until))


def read_job_name(
    job: Annotated[str, Query(max_length=300, description=f"Name of the job; {SYNC_DAG_ID} unless given")] = "",
) -> str:
    """Return the job that a request is about; raises BadRequestError for what can be no name."""
    _refuse_nul(job)
    return job or SYNC_DAG_ID


def _refuse_nul(text: str) -> None:
    # No stored text holds one, and PostgreSQL takes none for a parameter.
    if "\x00" in text:
        raise BadRequestError("A filter cannot hold a NUL character.")


JobName = Annotated[str, Depends(read_job_name)]
Filter = Annotated[JobLogFilter, Depends(read_filter)]


@dataclass(frozen=True)
class Position:
    """Where a page of the list begins: after a log towards the older ones, or with `newer` before it."""

    created_at: datetime
    id: int
    newer: bool = False

    @property
    def text(self) -> str:
        """The position as a parameter."""
        return f"{self.created_at.astimezone(UTC).isoformat()}_{self.id}"

    @property
    def clause(self) -> ColumnElement[bool]:
        """The condition for logs beyond it."""
        here = tuple_(JobLog.created_at, JobLog.id)
        there = tuple_(literal(self.created_at), literal(self.id))
        return here > there if self.newer else here < there


def read_position(
    before: Annotated[str, Query(description="`older` of an answer: the logs before it")] = "",
    after: Annotated[str, Query(description="`newer` of an answer: the logs after it")] = "",
) -> Position | None:
    """Return where the page begins, None for the newest; raises BadRequestError for what is no position."""
    given = before or after
    if not given:
        return None
    moment, _, number = given.rpartition("_")
    created_at = _moment("before" if before else "after", moment)
    if created_at is None or POSITION_ID.fullmatch(number) is None or int(number) >= 2**63:
        raise BadRequestError(f"{given[:100]}: not a position in the list")
    return Position(created_at, int(number), newer=not before)


Paging = Annotated[Position | None, Depends(read_position)]


def clean_query(text: str) -> str:
    """Return the query of an address of the list, reduced to the list's own parameters."""
    try:
        given = parse_qsl(text, max_num_fields=50)
    except ValueError:
        return ""
    return urlencode([(name, value) for name, value in given if name in PARAMETERS])


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        # In an address a + that nobody escaped means a space; a time with a T has no other.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadRequestError(f"{name}={text}: expected a time such as 2026-11-24T09:40") from None
    if not 1 < moment.year < 9999:
        raise BadRequestError(f"{name}={text}: out of range")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)

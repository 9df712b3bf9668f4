"""The search of the job logs for a text: it reads so many messages, the newest of those in question, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, bindparam, func, null, or_, select, union
from sqlalchemy.orm import Session

from open_orders.models import JobLog, JobLogDetail
from open_orders.web.job_log_filter import JobLogFilter
from open_orders.web.text_search import contains

# No index finds a part of a text: each message is looked at, two million in a second.
SEARCHED_MESSAGES = 20_000


@dataclass(frozen=True)
class Found:
    """The logs that have the text; since: from when on logs were searched, None where all in question were."""

    ids: Sequence[int]
    since: datetime | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        """Return the condition that a log is one of them."""
        # One parameter, however many there are, and however often a statement has the condition.
        return [JobLog.id == any_(bindparam("found_ids", list(self.ids), ARRAY(BigInteger)))]


@dataclass(frozen=True)
class Everything:
    """No text was asked for, or one that the filter itself finds by its index."""

    since: None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        """Return no condition."""
        return []


Search = Found | Everything


def search(session: Session, chosen: JobLogFilter) -> Search:
    """Return which logs the filter's text is in, ignoring case: in the name, the error or a message.

    Logs are searched whole, the newest of the filter's times first, as many as have SEARCHED_MESSAGES messages together
    and at least one, whatever else the filter says. At most three selects, none without a text.
    """
    if not chosen.q or chosen.is_name:
        return Everything()
    span = _read_span(session, chosen)
    if (chosen.since and span.first is None) or (chosen.until and span.last is None):
        return Found([])
    first, since = span.first, None
    if span.newest is not None and span.cut is not None:
        # The log in which the limit is reached is left out, unless it is the newest.
        newer = select(JobLog.id, JobLog.created_at).where(JobLog.id > min(span.cut, span.newest - 1))
        first, since = session.execute(newer.order_by(JobLog.id).limit(1)).one()
    said = select(JobLogDetail.job_log_id).where(contains(JobLogDetail.message, chosen.q))
    named = select(JobLog.id).where(or_(contains(JobLog.name, chosen.q), contains(JobLog.error_summary, chosen.q)))
    if first is not None:
        said, named = said.where(JobLogDetail.job_log_id >= first), named.where(JobLog.id >= first)
    if span.last is not None:
        said, named = said.where(JobLogDetail.job_log_id <= span.last), named.where(JobLog.id <= span.last)
    ids: list[int] = session.scalar(select(func.array(union(said, named).scalar_subquery()))) or []
    return Found(ids, since)


@dataclass(frozen=True)
class Span:
    """Ids of logs: the first and the last of the filter's times, the newest with messages, and the one at the limit.

    None: the filter has no such time, or there is no such log.
    """

    first: int | None
    last: int | None
    newest: int | None
    cut: int | None


def _read_span(session: Session, chosen: JobLogFilter) -> Span:
    """Return which logs the filter's times mean; ids are in the order of created_at."""
    first: ColumnElement[Any] = null()
    last: ColumnElement[Any] = null()
    messages = select(JobLogDetail.job_log_id).order_by(JobLogDetail.job_log_id.desc(), JobLogDetail.id.desc()).limit(1)
    if chosen.since:
        since = select(JobLog.id).where(JobLog.created_at >= chosen.since)
        first = since.order_by(JobLog.created_at, JobLog.id).limit(1).scalar_subquery()
        messages = messages.where(JobLogDetail.job_log_id >= first)
    if chosen.until:
        until = select(JobLog.id).where(JobLog.created_at < chosen.until)
        last = until.order_by(JobLog.created_at.desc(), JobLog.id.desc()).limit(1).scalar_subquery()
        messages = messages.where(JobLogDetail.job_log_id <= last)
    found = select(first, last, messages.scalar_subquery(), messages.offset(SEARCHED_MESSAGES).scalar_subquery())
    return Span(*session.execute(found).one())

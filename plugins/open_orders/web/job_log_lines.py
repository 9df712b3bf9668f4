"""The messages of one job log, numbered from 1: which a reader wants, a page of them, and what they are together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query
from sqlalchemy import ARRAY, BigInteger, ScalarSelect, any_, func, literal, select, union
from sqlalchemy.orm import Session

from open_orders.models import JobLogDetail
from open_orders.web.problems import BadRequestError
from open_orders.web.text_search import contains

Level = Literal["", "info", "warning", "error"]
LEVELS = ("info", "warning", "error")
# Writing a line takes longer than reading it from the database: a page of more would be slow.
MOST_LINES = 400
# A filter looks at every message; of a longer log it looks at so many, and says so.
SEARCHED_LINES = 8_000
# A part of a download; each costs the web server as much as some hundred lines.
STREAM_LINES = 1000
# Of a log of more than twice as many, the tasks are those of its first and last messages, and levels are not counted.
OUTLINED_LINES = 5_000


@dataclass(frozen=True)
class LineChoice:
    """Which messages a reader wants: of a level, with a text, from a line on; what is empty restricts nothing."""

    level: Level = ""
    q: str = ""
    line: int | None = None

    @property
    def is_filter(self) -> bool:
        """Whether messages are left out."""
        return bool(self.level or self.q)

    @property
    def parameters(self) -> dict[str, str]:
        """The filter as parameters of an address, the line left out."""
        return {name: value for name, value in (("level", self.level), ("q", self.q)) if value}


def read_choice(
    level: Level = "",
    q: Annotated[str, Query(max_length=200)] = "",
    line: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> LineChoice:
    """Return the choice of a request; raises BadRequestError for text that no database holds."""
    if "\x00" in q:
        raise BadRequestError("A filter cannot hold a NUL character.")
    return LineChoice(level, q, line)


Choice = Annotated[LineChoice, Depends(read_choice)]


@dataclass(frozen=True)
class Summary:
    """What a log's messages are together.

    levels: how many there are of each, None in a very long log. tasks: the last attempt of each task, in the order of
    the run. last_id: of the newest message, 0 without one.
    """

    total: int
    levels: dict[str, int] | None
    tasks: dict[str, int | None]
    last_id: int


def summarise(session: Session, job_log_id: int) -> Summary:
    """Return what all messages of a log are, in one select."""
    ids = select(JobLogDetail.id).where(JobLogDetail.job_log_id == job_log_id)
    newest = ids.order_by(JobLogDetail.id.desc()).limit(1).scalar_subquery()
    total = select(func.count()).select_from(ids.subquery()).scalar_subquery()
    columns = (JobLogDetail.id, JobLogDetail.level, JobLogDetail.task_id, JobLogDetail.try_number)
    messages = select(*columns).where(JobLogDetail.job_log_id == job_log_id).limit(OUTLINED_LINES)
    ends = (messages.order_by(order).subquery() for order in (JobLogDetail.id, JobLogDetail.id.desc()))
    outlined = union(*(select(end) for end in ends)).subquery()
    statement = (
        select(
            outlined.c.level,
            outlined.c.task_id,
            func.max(outlined.c.try_number).label("try_number"),
            func.count().label("lines"),
            total.label("total"),
            newest.label("last_id"),
        )
        .group_by(outlined.c.level, outlined.c.task_id)
        .order_by(func.min(outlined.c.id))
    )
    rows = session.execute(statement).all()
    if not rows:
        return Summary(0, dict.fromkeys(LEVELS, 0), {}, 0)
    levels = {level: sum(row.lines for row in rows if row.level == level) for level in LEVELS}
    tasks: dict[str, int | None] = {}
    for row in rows:
        if row.task_id:
            tasks[row.task_id] = max(tasks.get(row.task_id) or 0, row.try_number or 0) or None
    found: int = rows[0].total
    return Summary(found, levels if found <= 2 * OUTLINED_LINES else None, tasks, rows[0].last_id)


@dataclass(frozen=True)
class Lines:
    """Messages with their line numbers, in order, and the lines at which the pages before and after begin, if any.

    matching: how many messages the filter keeps, those on other pages too. searched: the first and the last line that
    the filter looked at, None where it looked at all.
    """

    shown: list[tuple[int, JobLogDetail]]
    earlier: int | None
    later: int | None
    matching: int
    searched: tuple[int, int] | None = None


def read_lines(session: Session, job_log_id: int, choice: LineChoice, total: int, *, at_end: bool = False) -> Lines:
    """Return a page of the messages of a log that has `total`; `at_end` its last ones, unless a line is asked for."""
    if choice.is_filter:
        return _read_matching(session, job_log_id, choice, total)
    first = choice.line or (max(1, total - MOST_LINES + 1) if at_end else 1)
    statement = (
        select(JobLogDetail)
        .where(JobLogDetail.job_log_id == job_log_id, JobLogDetail.id >= _id_of_line(job_log_id, first))
        .order_by(JobLogDetail.id)
        .limit(MOST_LINES)
    )
    shown = list(enumerate(session.scalars(statement), first))
    later = first + MOST_LINES
    return Lines(shown, _earlier(first, MOST_LINES), later if later <= total else None, total)


def _read_matching(session: Session, job_log_id: int, choice: LineChoice, total: int) -> Lines:
    """Return a page of the messages that a filter keeps, in two selects; of a long log it looks at a part only."""
    line = choice.line or 1
    is_part = total > SEARCHED_LINES
    first = line if is_part else 1
    part = (
        select(JobLogDetail.id, JobLogDetail.level, JobLogDetail.message)
        .where(JobLogDetail.job_log_id == job_log_id, JobLogDetail.id >= _id_of_line(job_log_id, first))
        .order_by(JobLogDetail.id)
        .limit(SEARCHED_LINES)
        .subquery()
    )
    numbered = select(part, (func.row_number().over(order_by=part.c.id) + (first - 1)).label("number")).subquery()
    kept = select(numbered.c.number, numbered.c.id)
    if choice.level:
        kept = kept.where(numbered.c.level == choice.level)
    if choice.q:
        kept = kept.where(contains(numbered.c.message, choice.q))
    matches = kept.cte("matches")
    before = select(matches.c.number).where(matches.c.number < line).order_by(matches.c.number.desc()).limit(MOST_LINES)
    asked = matches.c.number >= line
    parts = (
        func.array(select(column).where(asked).order_by(matches.c.number).limit(MOST_LINES + 1).scalar_subquery())
        for column in (matches.c.number, matches.c.id)
    )
    count = select(func.count()).select_from(matches).scalar_subquery()
    previous = select(func.min(before.subquery().c.number)).scalar_subquery()
    matching, earlier, numbers, ids = session.execute(select(count, previous, *parts)).one()
    statement = select(JobLogDetail).where(JobLogDetail.id == any_(literal(ids[:MOST_LINES], ARRAY(BigInteger))))
    shown = list(zip(numbers, session.scalars(statement.order_by(JobLogDetail.id)), strict=False))
    end = first + SEARCHED_LINES
    beyond = end if end <= total else None
    return Lines(
        shown,
        earlier=_earlier(line, SEARCHED_LINES) if is_part else earlier,
        later=numbers[MOST_LINES] if len(numbers) > MOST_LINES else beyond,
        matching=matching,
        searched=(first, min(end - 1, total)) if is_part else None,
    )


def _id_of_line(job_log_id: int, line: int) -> ScalarSelect[int]:
    """Return the id of a line: nothing is ever put between the messages of a log, so an offset is a line's number."""
    ids = select(JobLogDetail.id).where(JobLogDetail.job_log_id == job_log_id).order_by(JobLogDetail.id)
    return ids.offset(line - 1).limit(1).scalar_subquery()


def _earlier(first: int, step: int) -> int | None:
    return max(1, first - step) if first > 1 else None


def read_details(session: Session, job_log_id: int, after: int, limit: int) -> list[JobLogDetail]:
    """Return messages in the order they were written, those after an id."""
    statement = select(JobLogDetail).where(JobLogDetail.job_log_id == job_log_id, JobLogDetail.id > after)
    return list(session.scalars(statement.order_by(JobLogDetail.id).limit(limit)))


def stream_details(session: Session, job_log_id: int) -> Iterator[Sequence[JobLogDetail]]:
    """Yield all messages in the order they were written, some at a time, without holding them all."""
    statement = select(JobLogDetail).where(JobLogDetail.job_log_id == job_log_id).order_by(JobLogDetail.id)
    yield from session.scalars(statement, execution_options={"yield_per": STREAM_LINES}).partitions()

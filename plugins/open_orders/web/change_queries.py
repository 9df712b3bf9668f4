"""What a sync changed, and what it rejected: the rows that the pipeline wrote down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from sqlalchemy import Text, cast, func, select, union_all
from sqlalchemy.orm import Session, aliased

from open_orders.contract import OPEN_ORDERS
from open_orders.models import JobLog, OpenOrderChange, RejectedOrder

ChangeKind = Literal["new", "changed", "closed"]
PAGE_ROWS = 50


@dataclass(frozen=True)
class ValueChange:
    """One column of a changed order: the old value and the new one, None for NULL."""

    column: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """What happened to one order; `row` has the whole order: as it is, or as it was when it closed."""

    id: int
    kind: ChangeKind
    key: Mapping[str, Any]
    row: Mapping[str, Any]
    values: tuple[ValueChange, ...]


@dataclass(frozen=True)
class Rejected:
    """A row that broke the contract, with its reason, and the syncs that first and last saw it (None: pruned)."""

    id: int
    reason: str
    row: Mapping[str, Any]
    occurrences: int
    first_seen_at: datetime
    last_seen_at: datetime
    first_sync: str | None
    last_sync: str | None


def read_changes(
    session: Session, job_log_id: int, kind: ChangeKind | None, after: int, limit: int = PAGE_ROWS
) -> tuple[list[Change], int | None]:
    """Return a sync's changes after an id, by their order within each kind, and the id to go on after (None: end)."""
    of_kinds = (
        select(OpenOrderChange)
        .where(
            OpenOrderChange.job_log_id == job_log_id,
            OpenOrderChange.contract == OPEN_ORDERS.table,
            OpenOrderChange.kind == each,
            OpenOrderChange.id > after,
        )
        .order_by(OpenOrderChange.id)
        .limit(limit + 1)
        for each in ([kind] if kind else get_args(ChangeKind))
    )
    # Kind by kind, as the index has them: in the order of ids PostgreSQL would pass by the changes of all other syncs.
    page = union_all(*of_kinds).subquery().c
    # As text: the driver would turn JSON's numbers into floats, and lose digits.
    texts = (cast(column, Text) for column in (page.key, page.before, page.after))
    rows = session.execute(select(page.id, page.kind, *texts).order_by(page.id).limit(limit + 1)).all()
    changes = [_change(row) for row in rows[:limit]]
    return changes, changes[-1].id if len(rows) > limit else None


def count_changes(session: Session, job_log_id: int) -> dict[str, int]:
    """Return how many changes of each kind are kept of a sync."""
    statement = (
        select(OpenOrderChange.kind, func.count().label("kept"))
        .where(OpenOrderChange.job_log_id == job_log_id, OpenOrderChange.contract == OPEN_ORDERS.table)
        .group_by(OpenOrderChange.kind)
    )
    rows = session.execute(statement)
    return {"new": 0, "changed": 0, "closed": 0} | {row.kind: row.kept for row in rows}


def read_rejected(
    session: Session, since_job_log_id: int | None, before: int | None, limit: int = PAGE_ROWS
) -> tuple[list[Rejected], int | None]:
    """Return rejected rows, those first seen last come first, and the id to go on before (None: end).

    since_job_log_id: only rows that this sync or a later one saw; None for all that were ever rejected.
    """
    first, last = aliased(JobLog), aliased(JobLog)
    statement = (
        select(
            RejectedOrder.id,
            RejectedOrder.reason,
            cast(RejectedOrder.row, Text),
            RejectedOrder.occurrences,
            RejectedOrder.first_seen_at,
            RejectedOrder.last_seen_at,
            first.name,
            last.name,
        )
        .outerjoin(first, first.id == RejectedOrder.first_job_log_id)
        .outerjoin(last, last.id == RejectedOrder.last_job_log_id)
        # Zero: a run that began its import anew did not see it again.
        .where(RejectedOrder.contract == OPEN_ORDERS.table, RejectedOrder.occurrences > 0)
    )
    if since_job_log_id is not None:
        statement = statement.where(RejectedOrder.last_job_log_id >= since_job_log_id)
    if before is not None:
        statement = statement.where(RejectedOrder.id < before)
    found = session.execute(statement.order_by(RejectedOrder.id.desc()).limit(limit + 1)).all()
    rejected = [_rejected(row) for row in found[:limit]]
    return rejected, rejected[-1].id if len(found) > limit else None


def _parse(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)


def _rejected(row: Sequence[Any]) -> Rejected:
    row_id, reason, delivered, *rest = row
    return Rejected(row_id, reason, _parse(delivered), *rest)


def _change(row: Sequence[Any]) -> Change:
    row_id, kind = row[:2]
    key, before, after = (_parse(text) for text in row[2:])
    values: tuple[ValueChange, ...] = ()
    if kind == "changed" and before is not None and after is not None:
        # Objects of jsonb do not keep the order of the contract.
        names = [name for name in OPEN_ORDERS.names if name in before]
        values = tuple(ValueChange(name, before[name], after.get(name)) for name in names)
    return Change(row_id, kind, key, after or before or {}, values)

"""The open orders that a filter keeps: a page of them, their totals, the choices, and all of them for an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import CTE, Subquery, func, select, tuple_
from sqlalchemy.engine import Row, RowMapping
from sqlalchemy.orm import Session

from open_orders.contract import OPEN_ORDERS
from open_orders.web.open_order_columns import CHANGED_BY, TABLE, overdue_clause
from open_orders.web.open_order_filter import NONE, OrderFilter
from open_orders.web.open_order_paging import Position, Sort

PAGE_ROWS = 50
MAX_CUSTOMERS = 500
STREAM_ROWS = 1000
FACETS = ("customer_code", "warehouse", "order_status")


@dataclass(frozen=True)
class Page:
    """Rows of one page in order, and cursors to those before and after it; None at the ends."""

    rows: Sequence[Row[Any]]
    previous: str | None
    next: str | None


@dataclass(frozen=True)
class CurrencyTotal:
    """The open amount in one currency; `unpriced` lines have no amount."""

    currency: str | None
    lines: int
    unpriced: int
    amount: Decimal | None


@dataclass(frozen=True)
class Totals:
    """What a filter keeps, summed up."""

    orders: int
    lines: int
    overdue: int
    currencies: tuple[CurrencyTotal, ...]

    @property
    def unpriced(self) -> int:
        """Lines that have no amount and are in no sum."""
        return sum(total.unpriced for total in self.currencies)


@dataclass(frozen=True)
class Choice:
    """A value to filter by, with its lines among all open orders; None while they are being counted."""

    value: str
    label: str
    lines: int | None


@dataclass(frozen=True)
class Choices:
    """All that there is to choose from, whatever the filter; customers are those with the most lines.

    Numbers are None while they are being counted.
    """

    lines: int | None
    orders: int | None
    overdue: int | None
    customers: tuple[Choice, ...]
    warehouses: tuple[Choice, ...]
    statuses: tuple[Choice, ...]


def read_page(
    session: Session,
    chosen: OrderFilter,
    sort: Sort,
    position: Position,
    last_sync_id: int | None,
    limit: int = PAGE_ROWS,
) -> Page:
    """Return the rows after or before a position, at most `limit`."""
    reverse = bool(position.before and not position.after)
    cursor = position.before if reverse else position.after
    statement = select(TABLE).where(*chosen.clauses(last_sync_id))
    if cursor:
        statement = statement.where(sort.beyond(sort.position(cursor), reverse=reverse))
    found = session.execute(statement.order_by(*sort.order(reverse=reverse)).limit(limit + 1)).all()
    rows = found[:limit]
    more = len(found) > limit
    if reverse:
        rows = rows[::-1]
    if not rows:
        return Page((), None, None)
    has_previous = more if reverse else bool(cursor)
    has_next = bool(cursor) if reverse else more
    return Page(rows, sort.cursor(rows[0]) if has_previous else None, sort.cursor(rows[-1]) if has_next else None)


def read_totals(session: Session, chosen: OrderFilter, last_sync_id: int | None) -> Totals:
    """Return the totals of what a filter keeps, currencies with the most lines first."""
    columns = (
        TABLE.c.order_number,
        TABLE.c.currency,
        TABLE.c.amount_open,
        overdue_clause(chosen.today).label("overdue"),
    )
    conditions = chosen.clauses(last_sync_id)
    kept: CTE | Subquery
    if chosen.q:
        # Named once and used twice: PostgreSQL then looks for the text once.
        kept = select(*columns).where(*conditions).cte("kept")
        orders = select(kept.c.order_number)
    else:
        # What it finds without looking at texts, it finds faster twice than it keeps it.
        kept = select(*columns).where(*conditions).subquery("kept")
        orders = select(TABLE.c.order_number).where(*conditions)
    numbers = orders.distinct().subquery()
    statement = (
        select(
            kept.c.currency,
            func.count().label("lines"),
            func.count().filter(kept.c.amount_open.is_(None)).label("unpriced"),
            func.sum(kept.c.amount_open).label("amount"),
            func.count().filter(kept.c.overdue).label("overdue"),
            select(func.count()).select_from(numbers).scalar_subquery().label("orders"),
        )
        .group_by(kept.c.currency)
        .order_by(func.count().desc(), kept.c.currency)
    )
    rows = session.execute(statement).all()
    return Totals(
        orders=rows[0].orders if rows else 0,
        lines=sum(row.lines for row in rows),
        overdue=sum(row.overdue for row in rows),
        currencies=tuple(CurrencyTotal(row.currency, row.lines, row.unpriced, row.amount) for row in rows),
    )


def read_choices(session: Session, today: date) -> Choices:
    """Return the values to filter by, in one scan of all open orders."""
    columns = [TABLE.c[name] for name in FACETS]
    sets = func.grouping_sets(*(tuple_(column) for column in columns), tuple_())
    numbers = select(TABLE.c.order_number).distinct().subquery()
    statement = select(
        func.grouping(*columns).label("grouping"),
        func.coalesce(*columns).label("value"),
        func.max(TABLE.c.customer_name).label("name"),
        func.count().label("lines"),
        func.count().filter(overdue_clause(today)).label("overdue"),
        select(func.count()).select_from(numbers).scalar_subquery().label("orders"),
    ).group_by(sets)
    rows = session.execute(statement).all()
    # GROUPING has a bit for each column that a group is not by: 3 = by the first, 5 = the second, 6 = the third.
    customers, warehouses, statuses, everything = (
        [row for row in rows if row.grouping == bits] for bits in (3, 5, 6, 7)
    )
    customers.sort(key=lambda row: -row.lines)
    return Choices(
        lines=everything[0].lines,
        orders=everything[0].orders,
        overdue=everything[0].overdue,
        customers=tuple(
            Choice(row.value, f"{row.name or row.value}", row.lines)
            for row in sorted(customers[:MAX_CUSTOMERS], key=lambda row: str(row.value))
        ),
        warehouses=_choices(warehouses),
        statuses=_choices(statuses),
    )


def _choices(rows: list[Row[Any]]) -> tuple[Choice, ...]:
    named = [Choice(NONE if row.value is None else row.value, row.value or "(none)", row.lines) for row in rows]
    return tuple(sorted(named, key=lambda choice: (choice.value == NONE, choice.label)))


def stream_rows(
    session: Session, chosen: OrderFilter, sort: Sort, last_sync_id: int | None
) -> Iterator[Sequence[Row[Any]]]:
    """Yield all rows that a filter keeps, in order, some at a time; their values are in the contract's order."""
    columns = (TABLE.c[name] for name in OPEN_ORDERS.names)
    statement = select(*columns).where(*chosen.clauses(last_sync_id)).order_by(*sort.order())
    options = {"stream_results": True, "yield_per": STREAM_ROWS}
    yield from session.execute(statement, execution_options=options).partitions()


def was_changed(row: RowMapping, last_sync_id: int | None) -> str | None:
    """Return "new" or "changed" when the last sync made or changed a row, else None."""
    if last_sync_id is None or row[CHANGED_BY.name] != last_sync_id:
        return None
    return "new" if row["first_job_log_id"] == last_sync_id else "changed"

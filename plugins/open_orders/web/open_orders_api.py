"""The open orders as JSON: the filters of the page, stable names, ISO times, decimals as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from open_orders.contract import OPEN_ORDERS
from open_orders.web import api_types
from open_orders.web.api_types import iso_utc
from open_orders.web.change_queries import ChangeKind, read_changes, read_rejected
from open_orders.web.database import read
from open_orders.web.freshness import read_freshness, read_sync
from open_orders.web.open_order_columns import to_json
from open_orders.web.open_order_filter import Filter
from open_orders.web.open_order_paging import Paging, Sorting
from open_orders.web.open_order_queries import Totals, read_page, read_totals, was_changed
from open_orders.web.open_order_summaries import ask_totals
from open_orders.web.snapshot_memory import Questions

router = APIRouter(prefix="/api", tags=["open orders"])
Limit = Annotated[int, Query(ge=1, le=1000, description="Rows of one answer")]


@router.get("/open_orders")
def open_orders(chosen: Filter, sort: Sorting, position: Paging, limit: Limit = 50) -> api_types.OpenOrders:
    """Return the open orders that the filter keeps, a page at a time; `next` is the `after` of the next page."""
    with read() as session:
        freshness = read_freshness(session, datetime.now(UTC))
        # A program gets the whole answer, however long it takes.
        asked = ask_totals(Questions(session, freshness, None), chosen, freshness.published_id)
        page = read_page(session, chosen, sort, position, freshness.published_id, limit)
        # None: a sync has published meanwhile. This transaction still sees what was before.
        totals = asked.take() or read_totals(session, chosen, freshness.published_id)
    return {
        "freshness": freshness.to_json(),
        "totals": _totals(totals),
        "open_orders": [
            {name: to_json(getattr(row, name)) for name in OPEN_ORDERS.names}
            | {"changed_in_last_sync": was_changed(row._mapping, freshness.published_id)}
            for row in page.rows
        ],
        "previous": page.previous,
        "next": page.next,
    }


@router.get("/freshness")
def freshness() -> api_types.Freshness:
    """Return as of when the open orders are, and what became of the syncs since."""
    with read() as session:
        return read_freshness(session, datetime.now(UTC)).to_json()


@router.get("/changes")
def changes(
    sync: Annotated[str, Query(max_length=100, description="Name of a job log; the last success if empty")] = "",
    kind: Literal["", "new", "changed", "closed"] = "",
    after: Annotated[int, Query(ge=0, lt=2**63, description="`next` of an earlier answer")] = 0,
    limit: Limit = 50,
) -> api_types.Changes:
    """Return what a sync changed: new and closed orders whole, changed ones with old and new values."""
    chosen_kind: ChangeKind | None = kind or None
    with read() as session:
        shown = read_sync(session, sync) if sync else read_freshness(session, datetime.now(UTC)).published
        found, next_id = read_changes(session, shown.id, chosen_kind, after, limit) if shown else ([], None)
    return {
        "sync": shown.name if shown else None,
        "changes": [
            {
                "id": change.id,
                "kind": change.kind,
                "key": _plain(change.key),
                "order": _plain(change.row),
                "values": [
                    {"column": value.column, "before": _value(value.before), "after": _value(value.after)}
                    for value in change.values
                ],
            }
            for change in found
        ],
        "next": next_id,
    }


@router.get("/rejected")
def rejected(
    scope: Annotated[Literal["", "all"], Query(description="all: whichever sync rejected it")] = "",
    before: Annotated[int | None, Query(ge=0, lt=2**63, description="`next` of an earlier answer")] = None,
    limit: Limit = 50,
) -> api_types.RejectedOrders:
    """Return the rows that the last sync rejected, as they were delivered, with the reason."""
    with read() as session:
        published_id = read_freshness(session, datetime.now(UTC)).published_id
        found, next_id = read_rejected(session, None if scope else published_id, before, limit)
    return {
        "rejected": [
            {
                "id": row.id,
                "reason": row.reason,
                "row": dict(row.row),
                "occurrences": row.occurrences,
                "first_seen_at": iso_utc(row.first_seen_at),
                "last_seen_at": iso_utc(row.last_seen_at),
                "first_sync": row.first_sync,
                "last_sync": row.last_sync,
            }
            for row in found
        ],
        "next": next_id,
    }


def _totals(totals: Totals) -> api_types.Totals:
    return {
        "orders": totals.orders,
        "lines": totals.lines,
        "overdue": totals.overdue,
        "open_amounts": [
            {
                "currency": total.currency,
                "amount": to_json(total.amount),
                "lines": total.lines,
                "lines_without_amount": total.unpriced,
            }
            for total in totals.currencies
        ],
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value

"""The pages of the open orders: the list, what the last sync changed, what it rejected, and the exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from open_orders.web import exports
from open_orders.web.auth import OpenOrdersReader
from open_orders.web.change_queries import ChangeKind, count_changes, read_changes, read_rejected
from open_orders.web.database import read
from open_orders.web.exports import Stamp, write_csv, write_xlsx
from open_orders.web.freshness import Freshness, read_freshness, read_sync
from open_orders.web.open_order_columns import grouped_columns, label_of, shown_columns
from open_orders.web.open_order_filter import Filter, OrderFilter
from open_orders.web.open_order_paging import Paging, Sort, Sorting
from open_orders.web.open_order_queries import Choices, Page, stream_rows, was_changed
from open_orders.web.open_order_summaries import ask_choices, ask_page, ask_totals, choices_so_far
from open_orders.web.rendering import render
from open_orders.web.snapshot_memory import Questions

router = APIRouter(include_in_schema=False)
CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS = ("new", "changed", "closed")


@router.get("/", response_class=HTMLResponse)
def list_open_orders(
    request: Request, reader: OpenOrdersReader, chosen: Filter, sort: Sorting, position: Paging
) -> Response:
    """Return the list: freshness, filters, totals and one page of the open orders, as far as all that is known yet."""
    with read() as session:
        freshness = read_freshness(session, datetime.now(UTC))
        questions = Questions(session, freshness)
        # All are begun before the first is waited for, and only the rows are worth a wait.
        asked = ask_page(questions, chosen, sort, position, freshness.published_id)
        asked_totals = ask_totals(questions, chosen, freshness.published_id)
        asked_choices = ask_choices(questions, chosen.today)
        page = asked.take()
        totals = asked_totals.look()
        choices = choices_so_far(asked_choices)
    shown = page or Page((), None, None)
    sorted_by = "" if sort == Sort("order_number") else sort.text
    context: dict[str, Any] = {
        "freshness": freshness,
        "chosen": chosen,
        "sort": sort,
        "sorted_by": sorted_by,
        "groups": grouped_columns(),
        "links": {column.name: _sort_link(chosen, sort, column.name) for column in shown_columns()},
        "searching": page is None,
        "pending": page is None or totals is None or choices.lines is None,
        "lines": _all_lines(freshness, choices),
        "rows": shown.rows,
        "changed_of": lambda row: was_changed(row, freshness.published_id),
        "totals": totals,
        "choices": choices,
        "query": chosen.query("", sort=sorted_by),
        "here": chosen.query("", sort=sorted_by, after=position.after, before=position.before),
        # A position with nothing beyond it, which is not a filter that keeps nothing.
        "is_further": bool(position.after or position.before),
        "previous_url": shown.previous and chosen.query(sort=sorted_by, before=shown.previous),
        "next_url": shown.next and chosen.query(sort=sorted_by, after=shown.next),
    }
    return render(request, reader, "open_orders/list.html", title="Open Orders", **context)


@router.get("/freshness", response_class=HTMLResponse)
def freshness_banner(request: Request, reader: OpenOrdersReader) -> Response:
    """Return the banner alone, for an open page to bring it up to date."""
    with read() as session:
        now = datetime.now(UTC)
        freshness = read_freshness(session, now)
        choices = choices_so_far(ask_choices(Questions(session, freshness), now.date()))
    lines = _all_lines(freshness, choices)
    return render(request, reader, "open_orders/freshness.html", freshness=freshness, choices=choices, lines=lines)


@router.get("/changes", response_class=HTMLResponse)
def list_changes(
    request: Request,
    reader: OpenOrdersReader,
    sync: Annotated[str, Query(max_length=100)] = "",
    kind: Literal["", "new", "changed", "closed"] = "",
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> Response:
    """Return what a sync changed: the last successful one, unless another is named."""
    chosen_kind: ChangeKind | None = kind or None
    with read() as session:
        freshness = read_freshness(session, datetime.now(UTC))
        shown = read_sync(session, sync) if sync else freshness.published
        changes, next_id = read_changes(session, shown.id, chosen_kind, after) if shown else ([], None)
        counts = count_changes(session, shown.id) if shown else dict.fromkeys(KINDS, 0)
    context: dict[str, Any] = {
        "freshness": freshness,
        "sync": shown,
        "is_last": shown is not None and shown.id == freshness.published_id,
        "kind": kind,
        "changes": changes,
        "counts": counts,
        "columns": {column.name: column for column in shown_columns()},
        "label_of": label_of,
        "after": after,
        "next_id": next_id,
    }
    return render(request, reader, "open_orders/changes.html", title="Changes", **context)


@router.get("/rejected", response_class=HTMLResponse)
def list_rejected(
    request: Request,
    reader: OpenOrdersReader,
    scope: Literal["", "all"] = "",
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> Response:
    """Return the rows that the last sync rejected, or with `scope=all` those that any sync did."""
    with read() as session:
        freshness = read_freshness(session, datetime.now(UTC))
        rejected, next_id = read_rejected(session, None if scope else freshness.published_id, before)
    context: dict[str, Any] = {
        "freshness": freshness,
        "scope": scope,
        "rejected": rejected,
        "label_of": label_of,
        "before": before,
        "next_id": next_id,
    }
    return render(request, reader, "open_orders/rejected.html", title="Rejected Orders", **context)


@router.get("/export.csv")
def export_csv(reader: OpenOrdersReader, chosen: Filter, sort: Sorting) -> Response:
    """Return all filtered rows as CSV."""
    return _export(reader.name, chosen, sort, write_csv, "csv", CSV_TYPE)


@router.get("/export.xlsx")
def export_xlsx(reader: OpenOrdersReader, chosen: Filter, sort: Sorting) -> Response:
    """Return all filtered rows as an Excel file."""
    return _export(reader.name, chosen, sort, write_xlsx, "xlsx", XLSX_TYPE)


def _export(
    user: str,
    chosen: OrderFilter,
    sort: Sort,
    write: Callable[[exports.Batches, Stamp], Iterator[bytes]],
    extension: str,
    media_type: str,
) -> Response:
    parts = _export_parts(user, chosen, sort, write)
    # The first part is made before the answer begins: until then an error can still be a page.
    stamp: Any = next(parts)
    first: Any = next(parts)
    headers = {"Content-Disposition": f'attachment; filename="{stamp.file_name(extension)}"'}
    if stamp.as_of:
        headers["X-Data-As-Of"] = stamp.as_of_text
    return StreamingResponse(chain([first], parts), media_type=media_type, headers=headers)


def _export_parts(
    user: str, chosen: OrderFilter, sort: Sort, write: Callable[[exports.Batches, Stamp], Iterator[bytes]]
) -> Iterator[Any]:
    """Yield the stamp, then the file; freshness and rows are of one transaction, so the stamp is right."""
    with read("downloads") as session:
        now = datetime.now(UTC)
        freshness = read_freshness(session, now)
        published = freshness.published
        stamp = Stamp(
            as_of=freshness.as_of,
            sync=published.name if published else None,
            exported_at=now,
            exported_by=user,
            choice="&".join(f"{name}={value}" for name, value in chosen.parameters.items()),
        )
        yield stamp
        batches = stream_rows(session, chosen, sort, freshness.published_id)
        yield from write(chain([next(batches, ())], batches), stamp)


def _all_lines(freshness: Freshness, choices: Choices) -> int:
    """Return how many open orders there are: while nobody has counted them, as many as the sync says."""
    published = freshness.published
    return (published.total_after or 0) if choices.lines is None and published else choices.lines or 0


def _sort_link(chosen: OrderFilter, sort: Sort, column: str) -> dict[str, str]:
    """Return the link that sorts by a column, or turns the order when it is sorted by it already."""
    turned = sort.column == column and not sort.descending
    state = sort.state if sort.column == column else "none"
    return {"url": chosen.query(sort=Sort(column, turned).text), "state": state}

"""What the list of the open orders asks about a snapshot: a page of rows, totals, and the values to filter by."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from threading import Lock

from open_orders.web.open_order_columns import KEY
from open_orders.web.open_order_filter import OrderFilter
from open_orders.web.open_order_paging import Position, Sort
from open_orders.web.open_order_queries import Choice, Choices, Page, Totals, read_choices, read_page, read_totals
from open_orders.web.snapshot_memory import Answer, Questions

# The values of five minutes ago are nearly those of now: better than none while those of a new snapshot are counted.
_latest = Choices(None, None, None, (), (), ())
_lock = Lock()


def ask_page(
    questions: Questions, chosen: OrderFilter, sort: Sort, position: Position, last_sync_id: int | None
) -> Answer[Page]:
    """Return the rows after or before a position."""
    in_key_order = not chosen.parameters and sort.column == KEY[0]
    if in_key_order or questions.is_quick:
        # The primary key's index has the rows of a page beside each other.
        return questions.read(lambda session: read_page(session, chosen, sort, position, last_sync_id))
    return questions.ask(
        ("page", chosen, chosen.today, sort, position),
        lambda session: read_page(session, chosen, sort, position, last_sync_id),
    )


def ask_totals(questions: Questions, chosen: OrderFilter, last_sync_id: int | None) -> Answer[Totals]:
    """Return the totals of what a filter keeps."""
    return questions.ask(("totals", chosen, chosen.today), lambda session: read_totals(session, chosen, last_sync_id))


def ask_choices(questions: Questions, today: date) -> Answer[Choices]:
    """Return the values to filter by."""
    return questions.ask(("choices", today), lambda session: read_choices(session, today))


def choices_so_far(answer: Answer[Choices]) -> Choices:
    """Return the values to filter by; while they are being counted those of an earlier snapshot, without counts."""
    global _latest
    found = answer.look()
    with _lock:
        if found is not None:
            _latest = found
            return found
        return replace(
            _latest,
            lines=None,
            orders=None,
            overdue=None,
            customers=_uncounted(_latest.customers),
            warehouses=_uncounted(_latest.warehouses),
            statuses=_uncounted(_latest.statuses),
        )


def _uncounted(choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    return tuple(replace(choice, lines=None) for choice in choices)

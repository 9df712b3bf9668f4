"""Which open orders a reader wants: parameters of the address, and the condition they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, or_

from open_orders.web.open_order_columns import CHANGED_BY, TABLE, overdue_clause
from open_orders.web.problems import BadRequestError
from open_orders.web.text_search import contains

SEARCHED = ("order_number", "customer_code", "customer_name", "item_code", "item_description")
# In the address, the lines that have no warehouse, or no status; the ERP's own codes do not begin like this.
NONE = "~none"
MAX_SEARCH = 200


@dataclass(frozen=True)
class OrderFilter:
    """A choice of open orders; an empty text and False restrict nothing.

    q is looked for in the number of the order and in the codes and names of customer and item, ignoring case.
    changed keeps only what the last successful sync inserted or changed.
    """

    q: str = ""
    customer: str = ""
    warehouse: str = ""
    status: str = ""
    overdue: bool = False
    changed: bool = False
    today: date = field(default_factory=lambda: datetime.now(UTC).date(), compare=False)

    def clauses(self, last_sync_id: int | None) -> list[ColumnElement[bool]]:
        """Return conditions that all have to hold; `last_sync_id` is the job log of the last successful sync."""
        found: list[ColumnElement[bool]] = []
        if self.q:
            found.append(or_(*(contains(TABLE.c[name], self.q) for name in SEARCHED)))
        for name, value in (
            ("customer_code", self.customer),
            ("warehouse", self.warehouse),
            ("order_status", self.status),
        ):
            if value:
                found.append(TABLE.c[name].is_(None) if value == NONE else TABLE.c[name] == value)
        if self.overdue:
            found.append(overdue_clause(self.today))
        if self.changed:
            # No job log has the id 0.
            found.append(CHANGED_BY.in_([last_sync_id or 0]))
        return found

    @property
    def parameters(self) -> dict[str, str]:
        """What of the filter is set, as parameters of an address."""
        texts = {"q": self.q, "customer": self.customer, "warehouse": self.warehouse, "status": self.status}
        flags = {"overdue": self.overdue, "changed": self.changed}
        return {name: value for name, value in texts.items() if value} | {
            name: "1" for name, value in flags.items() if value
        }

    def query(self, *without: str, **more: str) -> str:
        """Return the query of an address with this filter, apart from some parameters, and with others: `?q=a&sort=b`.

        Only `?` when nothing is left: a link to the same page without any.
        """
        kept = {name: value for name, value in self.parameters.items() if name not in without}
        return f"?{urlencode(kept | {name: value for name, value in more.items() if value})}"


def read_filter(
    q: Annotated[
        str, Query(max_length=MAX_SEARCH, description="Part of an order's number, a customer or an item")
    ] = "",
    customer: Annotated[str, Query(description="Code of the customer")] = "",
    warehouse: Annotated[str, Query(description="Code of the warehouse; ~none for lines without one")] = "",
    status: Annotated[str, Query(description="The ERP's word for the state; ~none for lines without one")] = "",
    overdue: Annotated[str, Query(description="1: only lines that are due before today (UTC)")] = "",
    changed: Annotated[str, Query(description="1: only lines that the last successful sync changed")] = "",
) -> OrderFilter:
    """Return the filter of a request; raises BadRequestError for text that no database holds."""
    if any("\x00" in value for value in (q, customer, warehouse, status)):
        raise BadRequestError("A filter cannot hold a NUL character.")
    return OrderFilter(
        q.strip(), customer.strip(), warehouse, status, _flag("overdue", overdue), _flag("changed", changed)
    )


Filter = Annotated[OrderFilter, Depends(read_filter)]


def _flag(name: str, value: str) -> bool:
    if value.lower() in ("1", "true", "on"):
        return True
    if value.lower() in ("", "0", "false", "off"):
        return False
    raise BadRequestError(f"{name}={value}: expected 1 or 0")

"""The rows that are moved: open order lines with the contract's columns, of which a part may have another price."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

from sandbox.erp import sample
from sandbox.tds.encoders import RowEncoder
from sandbox.tds.engine import Column, EncodedRows, Replay
from sandbox.tds.types import SqlType

# The rows are one block again and again, with another number in the place of this one in each order number.
BLOCK_ROWS = 1000
_BLOCK, _DIGITS = "####", 4
MOST_ROWS = BLOCK_ROWS * 10**_DIGITS
_MOMENT = datetime(2026, 6, 1, 8)  # noqa: DTZ001 - the ERP's times have no zone
_SEED = 20260601
# The checksum is of this column.
CHECKED = "quantity_open"
_PRICE = "unit_price"

COLUMN_TYPES: dict[str, tuple[str, bool]] = {
    "order_number": ("nvarchar(30)", False),
    "line_number": ("int", False),
    "customer_code": ("nvarchar(20)", False),
    "customer_name": ("nvarchar(120)", True),
    "item_code": ("nvarchar(30)", True),
    "item_description": ("nvarchar(200)", True),
    "order_date": ("date", True),
    "due_date": ("date", True),
    "quantity_ordered": ("decimal(18,4)", True),
    "quantity_shipped": ("decimal(18,4)", True),
    CHECKED: ("decimal(18,4)", False),
    _PRICE: ("decimal(19,4)", True),
    "amount_open": ("decimal(19,4)", True),
    "currency": ("char(3)", True),
    "warehouse": ("varchar(10)", True),
    "order_status": ("nvarchar(20)", True),
    "source_updated_at": ("datetime2(6)", True),
}


@dataclass(frozen=True)
class Lines:
    """So many lines, of which this share (0 to 1) has a price of its own; a table of the stand-in.

    They come in the order of their keys, as from a table with a clustered key, or in none.
    """

    rows: int
    changed: float = 0.0
    in_order: bool = True

    def __post_init__(self) -> None:
        if self.rows % BLOCK_ROWS or not 0 < self.rows <= MOST_ROWS:
            raise ValueError(f"expected rows in thousands up to {MOST_ROWS:,}, found {self.rows:,}")

    @property
    def table(self) -> str:
        """The name of the table."""
        changed = f"_changed_{self.changed * 1000:.0f}" if self.changed else ""
        return f"open_lines_{self.rows}{changed}{'' if self.in_order else '_in_no_order'}"

    @property
    def query(self) -> str:
        """The query of all rows."""
        return f"SELECT {', '.join(COLUMN_TYPES)} FROM dbo.{self.table}"  # noqa: S608 - names of our own

    @property
    def checksum(self) -> Decimal:
        """The sum of `CHECKED` over all rows."""
        position = list(COLUMN_TYPES).index(CHECKED)
        return sum((row[position] for row in _make_block(0.0)), Decimal(0)) * (self.rows // BLOCK_ROWS)

    def record(self) -> Replay:
        """Return the rows as the stand-in replays them."""
        types = {name: (SqlType.parse(kind), null) for name, (kind, null) in COLUMN_TYPES.items()}
        rows, numbers = _make_block(self.changed), list(range(self.rows // BLOCK_ROWS))
        if not self.in_order:
            rows = rows[::-1]
            random.Random(_SEED).shuffle(numbers)  # noqa: S311 - the same each time
        block = b"".join(RowEncoder(list(types.values())).encode(rows))
        marker = _BLOCK.encode("utf-16-le")
        places = (f"{number:0{_DIGITS}}".encode("utf-16-le") for number in numbers)
        blocks = [EncodedRows(block.replace(marker, place), BLOCK_ROWS) for place in places]
        return Replay([Column(name, *kind) for name, kind in types.items()], blocks)


WARM_UP = Lines(BLOCK_ROWS)
"""The lines that a process moves to be ready."""


@cache
def _make_block(changed: float) -> list[tuple[Any, ...]]:
    rows = list(islice(_make_rows(), BLOCK_ROWS))
    price = list(COLUMN_TYPES).index(_PRICE)
    for index in range(round(BLOCK_ROWS * changed)):
        row = rows[index]
        rows[index] = (*row[:price], row[price] + 1, *row[price + 1 :])
    return rows


def _make_rows() -> Iterator[tuple[Any, ...]]:
    rng = random.Random(_SEED)  # noqa: S311 - sample data, the same each time
    customers = {number: (code, name) for number, code, name in sample.make_customers(rng)}
    items = {number: (code, description) for number, code, description in sample.make_items(rng)}
    for order in sample.make_orders(rng, 2 * BLOCK_ROWS, _MOMENT):
        for line in order.lines:
            quantity_open = line.quantity_ordered - line.quantity_shipped
            yield (
                f"SO26-{_BLOCK}{order.order_id:04}", line.line_number, *customers[order.customer_id],
                *items[line.item_id], order.order_date, line.due_date, line.quantity_ordered, line.quantity_shipped,
                quantity_open, line.unit_price, (quantity_open * line.unit_price).quantize(Decimal("0.0001")),
                order.currency, sample.WAREHOUSES[line.warehouse_id - 1], line.status, order.updated_at,
            )  # fmt: skip

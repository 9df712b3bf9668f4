"""Whether rows come in the order of their keys, from the values of either driver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_orders.contract import KEY_TEXT, QUANTITY, Column, ColumnType, Date, Integer, LocalTimestamp, Text
from open_orders.key_order import KeyOrder
from open_orders.landing import Batch, InexactText, RowBatch
from open_orders.landing_arrow import ArrowBatch

Row = tuple[Any, ...]


def key_of(*kinds: ColumnType) -> tuple[Column, ...]:
    """Return columns whose key has these types, behind one that is not of the key."""
    keys = (Column(f"k{position}", kind, "", nullable=False, key=True) for position, kind in enumerate(kinds))
    return (Column("note", Text(), ""), *keys)


def as_rows(columns: tuple[Column, ...], rows: Sequence[Row], _types: Sequence[pa.DataType]) -> Batch:
    return RowBatch(columns, [(None, *row) for row in rows])


def as_arrow(columns: tuple[Column, ...], rows: Sequence[Row], types: Sequence[pa.DataType]) -> Batch:
    arrays = [pa.nulls(len(rows), pa.large_string())]
    arrays += [pa.array([row[position] for row in rows], kind) for position, kind in enumerate(types)]
    found = pa.record_batch(arrays, [column.name for column in columns])
    return ArrowBatch(columns, found, range(len(columns)), [str] * len(columns))


def is_in_order(batches: Sequence[Batch]) -> bool:
    order = KeyOrder()
    assert list(order.learn(batches)) == list(batches)
    return order.is_kept


ORDER_LINE = key_of(KEY_TEXT, Integer())
TYPES = (pa.large_string(), pa.int32())


@pytest.mark.parametrize("make", [as_rows, as_arrow])
@pytest.mark.parametrize(
    ("batches", "in_order"),
    [
        ([[("A", 1), ("A", 2), ("B", 1)]], True),
        ([[("A", 1), ("A", 2)], [], [("A", 3)], [("B", 1)]], True),
        ([], True),
        ([[]], True),
        ([[("A", 1)]], True),
        ([[("A", 1), ("A", 1)]], False),
        ([[("A", 2), ("A", 1)]], False),
        ([[("B", 1), ("A", 2)]], False),
        ([[("A", 1)], [("A", 1)]], False),
        ([[("A", 2)], [], [("A", 1)]], False),
        ([[("A", 2), ("A", 1)], [("B", 1), ("B", 2)]], False),
        ([[("A", 1), (None, 2)]], False),
        ([[("A", 1), ("A", None), ("B", 1)]], False),
        # By their bytes, not as people sort them.
        ([[("Z", 1), ("a", 1), ("\N{LATIN SMALL LETTER A WITH DIAERESIS}", 1), ("\N{OX}", 1)]], True),
        ([[("\N{FULLWIDTH LATIN CAPITAL LETTER A}", 1), ("\N{OX}", 1)]], True),
    ],
)
def test_each_key_has_to_be_higher_than_the_one_before(make: Any, batches: list[list[Row]], in_order: bool) -> None:
    assert is_in_order([make(ORDER_LINE, rows, TYPES) for rows in batches]) is in_order


@pytest.mark.parametrize(
    ("kind", "delivered", "first", "second", "is_told"),
    [
        (Integer(), pa.int32(), 1, 2, True),
        (Integer(), pa.large_string(), "01", "1", False),
        (Integer(), pa.decimal128(9, 1), Decimal("1.0"), Decimal("1.1"), False),
        (QUANTITY, pa.decimal128(9, 1), Decimal("1.0"), Decimal("1.1"), True),
        (QUANTITY, pa.float64(), 1.0, 1.5, False),
        (KEY_TEXT, pa.int32(), 1, 2, False),
        (Date(), pa.date32(), date(2026, 1, 2), date(2026, 1, 3), True),
        (Date(), pa.timestamp("us"), datetime(2026, 1, 2), datetime(2026, 1, 2, 1), False),
    ],
)
@pytest.mark.parametrize("make", [as_rows, as_arrow])
def test_what_lands_as_a_text_that_is_cast_could_be_the_same_key(
    make: Any, kind: ColumnType, delivered: pa.DataType, first: Any, second: Any, is_told: bool
) -> None:
    assert is_in_order([make(key_of(kind), [(first,), (second,)], [delivered])]) is is_told


def test_values_that_the_driver_could_not_read_exactly_are_in_no_order() -> None:
    assert not is_in_order([RowBatch(key_of(KEY_TEXT), [(None, "A"), (None, InexactText("B"))])])


def test_moments_are_told_apart_where_they_land_typed() -> None:
    rows = [(datetime(2026, 1, 2),), (datetime(2026, 1, 2, 0, 0, 0, 1),)]
    assert is_in_order([as_arrow(key_of(LocalTimestamp()), rows, [pa.timestamp("us")])])
    assert not is_in_order([as_rows(key_of(LocalTimestamp()), rows, [])])


@given(st.lists(st.lists(st.tuples(st.text("aA\u00e4\x00", max_size=2), st.integers(0, 3)))))
def test_both_drivers_values_tell_the_same_and_keys_in_order_are_all_different(batches: list[list[Row]]) -> None:
    rows = [row for batch in batches for row in batch]
    expected = all(before < after for before, after in pairwise(rows))
    for make in (as_rows, as_arrow):
        assert is_in_order([make(ORDER_LINE, batch, TYPES) for batch in batches]) is expected
    assert not expected or len(set(rows)) == len(rows)

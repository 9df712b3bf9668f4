"""What lands typed is what would land as text: each Arrow type beside the same values as Python's."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from open_orders.contract import OPEN_ORDERS, Column, Contract
from open_orders.job_log_hook import JobLogHook
from open_orders.landing import RowBatch, to_landing
from open_orders.landing_arrow import ArrowBatch
from open_orders.target import Target
from open_orders.validation import delivered
from tests.integration.erp import order

Orders = psycopg.Connection[Any]
BY_NAME = {column.name: column for column in OPEN_ORDERS.columns}
DECIMALS = {(18, 4): "quantity_open", (12, 2): "quantity_open", (19, 4): "unit_price", (15, 0): "unit_price"}


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda number: Decimal(number).scaleb(-scale))


# Column of the contract, delivered type, values, and whether the type guarantees the contract.
CASES = [
    *((name, pa.decimal128(*digits), decimals(*digits), True) for digits, name in DECIMALS.items()),
    ("quantity_open", pa.decimal128(19, 4), decimals(18, 4), False),
    ("quantity_open", pa.decimal128(18, 5), decimals(18, 5), False),
    ("unit_price", pa.int32(), st.integers(-(2**31), 2**31 - 1), False),
    ("line_number", pa.int32(), st.integers(-(2**31), 2**31 - 1), True),
    ("line_number", pa.uint8(), st.integers(0, 255), True),
    ("line_number", pa.int64(), st.integers(-(2**31), 2**31 - 1), False),
    ("line_number", pa.bool_(), st.booleans(), False),
    ("order_date", pa.date32(), st.dates(), True),
    ("order_date", pa.timestamp("us"), st.dates().map(lambda day: datetime(day.year, day.month, day.day)), False),
    ("source_updated_at", pa.timestamp("us"), st.datetimes(), True),
    ("source_updated_at", pa.timestamp("us"), st.datetimes().map(lambda moment: moment.replace(microsecond=0)), True),
    ("source_updated_at", pa.date32(), st.dates(), False),
    ("customer_name", pa.large_string(), st.text(), False),
]


def arrow_batch(columns: tuple[Column, ...], values: dict[str, tuple[pa.DataType, list[Any]]]) -> ArrowBatch:
    """Return a batch of all columns, of which these have such values, and the others none."""
    rows = len(next(iter(values.values()))[1])
    arrays = [pa.array(found[1], found[0]) if (found := values.get(column.name)) else pa.nulls(rows, pa.large_string())
              for column in columns]  # fmt: skip
    part = pa.record_batch(arrays, [column.name for column in columns])
    return ArrowBatch(columns, part, range(len(columns)), [str] * len(columns))


@pytest.mark.parametrize(("name", "kind", "values", "is_typed"), CASES, ids=lambda value: str(value)[:24])
def test_value_lands_as_the_text_that_it_is_value_by_value(
    orders: Orders, opened: JobLogHook, name: str, kind: pa.DataType, values: st.SearchStrategy[Any], is_typed: bool
) -> None:
    column = BY_NAME[name]
    target = Target(orders, OPEN_ORDERS, opened.job_log_id)
    read = sql.SQL("SELECT {}, {} IS NULL, unstorable FROM open_orders_landing ORDER BY row_no").format(
        delivered(column), sql.Identifier(column.name)
    )

    @settings(max_examples=20, deadline=timedelta(seconds=20), derandomize=True,
              suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    @given(st.lists(st.none() | values, min_size=1, max_size=200))
    def check(given_values: list[Any]) -> None:
        with orders.transaction():
            target.land([arrow_batch(OPEN_ORDERS.columns, {name: (kind, given_values)})], 100)
        expected = [to_landing([name], [value]) for value in given_values]
        found = orders.execute(read).fetchall()
        assert [(text, reason) for text, _, reason in found] == [(texts[0], reason) for texts, reason in expected]
        assert all(as_text_is_null == (is_typed or text is None) for text, as_text_is_null, _ in found)

    check()


def test_several_batches_and_rows_that_cannot_be_stored_keep_their_places(orders: Orders, opened: JobLogHook) -> None:
    target = Target(orders, OPEN_ORDERS, opened.job_log_id)
    texts = [["a", "b\x00", None], ["\N{REPLACEMENT CHARACTER}"], ["", "tab\tnewline\n\\N"]]
    batches = (
        arrow_batch(
            OPEN_ORDERS.columns,
            {"customer_name": (pa.large_string(), part), "line_number": (pa.int32(), list(range(len(part))))},
        )
        for part in texts
    )
    with orders.transaction():
        landed = target.land(batches, 4)
    assert landed == 6
    found = orders.execute(
        "SELECT row_no, customer_name, line_number_typed, unstorable IS NULL FROM open_orders_landing ORDER BY row_no"
    ).fetchall()
    assert found == [
        (1, "a", 0, True), (2, "b␀", 1, False), (3, None, 2, True),
        (4, "\N{REPLACEMENT CHARACTER}", 0, False), (5, "", 0, True), (6, "tab\tnewline\n\\N", 1, True),
    ]  # fmt: skip
    batches = target.read_batches(in_order=False)
    assert [(batch.first_row, batch.last_row, batch.landed) for batch in batches] == [(1, 4, 4), (5, 6, 2)]


def test_batches_of_two_forms_land_in_one_fetch(orders: Orders, opened: JobLogHook) -> None:
    row = order("SO9", quantity_open=Decimal("2.50"))
    values = tuple(row[name] for name in OPEN_ORDERS.names)
    target = Target(orders, OPEN_ORDERS, opened.job_log_id)
    typed = {
        "order_number": (pa.large_string(), ["SO1"]), "line_number": (pa.int32(), [1]),
        "customer_code": (pa.large_string(), ["C"]), "quantity_open": (pa.decimal128(9, 2), [Decimal("2.50")]),
    }  # fmt: skip
    with orders.transaction():
        target.land([arrow_batch(OPEN_ORDERS.columns, typed), RowBatch(OPEN_ORDERS.columns, [values])], 1)
        target.truncate_staging()
        target.mark_duplicates()
        assert [target.import_batch(batch) for batch in target.read_batches(in_order=False)] == [(1, 0), (1, 0)]
    found = orders.execute("SELECT order_number, quantity_open::text FROM open_orders_staging ORDER BY 1").fetchall()
    assert found == [("SO1", "2.5000"), ("SO9", "2.5000")]


def test_repeated_key_is_found_however_its_rows_landed(orders: Orders, opened: JobLogHook) -> None:
    """The same number typed, as a text, and written otherwise; an invalid one before them is not the first."""
    contract = Contract("open_orders", "order", OPEN_ORDERS.columns)
    target = Target(orders, contract, opened.job_log_id)
    typed = {
        "order_number": (pa.large_string(), ["SO1", "SO1"]), "line_number": (pa.int32(), [7, 7]),
        "customer_code": (pa.large_string(), [None, "C"]), "quantity_open": (pa.decimal128(9, 2), [Decimal(1)] * 2),
        "order_date": (pa.date32(), [date(2026, 1, 2)] * 2),
    }  # fmt: skip
    rows = [tuple({**order("SO1"), "line_number": line}[name] for name in contract.names) for line in ("7.0", "8")]
    with orders.transaction():
        target.land([arrow_batch(contract.columns, typed), RowBatch(contract.columns, rows)], 2)
        target.truncate_staging()
        for _ in range(2):
            target.mark_duplicates()
        assert [target.import_batch(batch) for batch in target.read_batches(in_order=False)] == [(1, 1), (1, 1)]
    assert orders.execute("SELECT customer_code, line_number FROM open_orders_staging ORDER BY 2").fetchall() == [
        ("C", 7),
        (order()["customer_code"], 8),
    ]
    reasons = orders.execute("""SELECT reason, "row" ->> 'line_number' FROM rejected_orders ORDER BY 1""").fetchall()
    assert reasons == [
        ("customer_code is missing", "7"),
        (
            "duplicate key order_number 'SO1', line_number '7.0': an earlier row of this fetch has it and was imported",
            "7.0",
        ),
    ]

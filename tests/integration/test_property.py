"""For any rows that the source delivers, `open_orders` and `rejected_orders` hold exactly what the contract says.

What that is, `oracle.py` says.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from open_orders.contract import OPEN_ORDERS, Column, Date, Integer, LocalTimestamp, Numeric, Text
from open_orders.job_log_hook import JobLogHook
from open_orders.landing import RowBatch
from open_orders.target import Target
from tests.integration.erp import COLUMN_TYPES, Erp, Sync, order
from tests.integration.oracle import judge

pytestmark = pytest.mark.both_drivers(other="full")
# What FreeTDS and UTF-16 carry: any character but halves of surrogate pairs.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = st.text(st.characters(categories=["L", "Nd", "So"]), min_size=1, max_size=12)
NUMBERS_AS_TEXT = st.sampled_from(
    ["0", "-1.5", "+2", "1e3", "1e-5", " 7 ", "12,5", "NaN", "Infinity", "0x1F", "1_0", "", "-", "1e400", ".5", "5."]
)
DATES_AS_TEXT = st.sampled_from(
    [
        "2026-02-28", "2026-02-30", "20260228", "today", "infinity", "01/02/2026", "2026-02-28 00:00:00.000", "",
        "2026-02-28 00:00:01", "2026-02-28T10:20:30.1234567", "2026-02-28 10:20:30+02:00", "2026-02-28 25:00:00",
        "2026-02-28T10:20:30.1200000", "2026-02-28 24:00:00", "2026-02-28 23:59:60", "02---01-02", "10---01-02",
        "2026-01-02 -3:04:05", "2026-01-02 03:-4:05", "2026-01-02 03:04:-5", "2026-01-02 03:04:0059.9",
        "2026-01-02 03:04:05.",
    ]
)  # fmt: skip
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
MIDNIGHTS = MOMENTS.map(lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0))
DECIMALS = st.decimals(-(10**20), 10**20, allow_nan=False, allow_infinity=False, places=5)
FITTING = st.decimals(-(10**13), 10**13, allow_nan=False, allow_infinity=False, places=4)
WHOLE = st.integers(-(2**31), 2**31 - 1)


def constant(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


# A column of the contract arrives as one of these source types: with values that fit, and with any.
Arrival = tuple[str, st.SearchStrategy[Any], st.SearchStrategy[Any]]
ARRIVALS: dict[type, list[Arrival]] = {
    Text: [
        ("nvarchar(max)", WORDS, TEXTS),
        ("int", WHOLE, WHOLE),
        ("varbinary(20)", st.binary(max_size=20), st.binary(max_size=20)),
        ("uniqueidentifier", st.uuids(), st.uuids()),
    ],
    Integer: [
        ("bigint", WHOLE, st.integers(-(2**63), 2**63 - 1)),
        ("nvarchar(max)", constant("0", "+2", "1e3", " 7 ", "5."), NUMBERS_AS_TEXT),
        ("decimal(9,1)", st.integers(-9, 9).map(Decimal), st.decimals(-100, 100, places=1)),
        ("bit", st.booleans(), st.booleans()),
    ],
    Numeric: [
        ("decimal(38,5)", FITTING, DECIMALS),
        ("decimal(18,4)", FITTING, FITTING),
        ("float", st.integers(-9999, 9999).map(lambda number: number / 16), FLOATS),
        ("nvarchar(max)", constant("0", "-1.5", "1e3", " 7 ", ".5"), NUMBERS_AS_TEXT),
        ("money", FITTING, FITTING),
    ],
    Date: [
        ("date", st.dates(), st.dates()),
        ("datetime2(6)", MIDNIGHTS, MOMENTS),
        ("nvarchar(max)", constant("2026-02-28", "20260228"), DATES_AS_TEXT),
    ],
    LocalTimestamp: [
        ("datetime2(6)", MOMENTS, MOMENTS),
        ("date", st.dates(), st.dates()),
        ("nvarchar(max)", constant("2026-02-28 10:20", "2026-02-28T10:20:30.123456"), DATES_AS_TEXT),
    ],
}


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Draw source types for some columns, and rows in which about one value in ten may be anything, NULL included."""
    types = dict(COLUMN_TYPES)
    values: dict[str, st.SearchStrategy[Any]] = {}
    for column in draw(st.lists(st.sampled_from(OPEN_ORDERS.columns), unique=True, min_size=1, max_size=5)):
        types[column.name], fitting, anything = draw(st.sampled_from(ARRIVALS[type(column.type)]))
        values[column.name] = st.integers(0, 9).flatmap(
            lambda dice, fitting=fitting, anything=anything: fitting if dice else st.none() | anything
        )
    numbered = st.integers(1, 20).map(lambda number: order(f"SO{number}"))
    row = st.builds(lambda base, some: base | some, numbered, st.fixed_dictionaries(values))
    return types, draw(st.lists(row, max_size=20))


NOISE: dict[type, st.SearchStrategy[str]] = {
    Text: st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    Integer: NUMBERS_AS_TEXT | WHOLE.map(str) | st.text("0123456789+-.eEx_ ", max_size=11),
    Numeric: NUMBERS_AS_TEXT | FITTING.map(str) | FLOATS.map(repr) | st.text("0123456789+-.eExX_ naif", max_size=9),
    Date: DATES_AS_TEXT
    | st.from_regex(r"\A[0-9-]{10}\Z")
    | st.dates().map(str)
    | st.from_regex(r"\A[12]\d{3}-?[01]\d-?[0-3]\d([ T]00:00:00)?\Z"),
    LocalTimestamp: DATES_AS_TEXT
    | MOMENTS.map(str)
    | st.from_regex(r"\A2026-01-02 [0-9:.-]{8,12}\Z")
    | st.from_regex(r"\A2\d{3}-[01]\d-[0-3]\d[ T][0-2]\d:[0-6]\d(:[0-6]\d(\.\d{0,8})?)?\Z"),
}


@pytest.mark.parametrize("column", OPEN_ORDERS.columns, ids=lambda column: column.name)
def test_any_text_in_a_column_is_imported_exactly_or_rejected(
    orders: psycopg.Connection[Any], opened: JobLogHook, column: Column, request: pytest.FixtureRequest
) -> None:
    """Many texts a time, without the wire: straight into landing."""

    @settings(
        max_examples=12 if request.config.getoption("--all") else 5, deadline=timedelta(seconds=30), derandomize=True
    )
    @given(st.lists(st.none() | NOISE[type(column.type)], min_size=100, max_size=200))
    def check(texts: list[str | None]) -> None:
        rows = [order() | {"item_description": str(number), column.name: text} for number, text in enumerate(texts)]
        for number, row in enumerate(rows):
            if column.name != "order_number":
                row["order_number"] = f"SO{number}"
        target = Target(orders, OPEN_ORDERS, opened.job_log_id)
        with orders.transaction():
            values = [tuple(row[name] for name in OPEN_ORDERS.names) for row in rows]
            target.land([RowBatch(OPEN_ORDERS.columns, values)], len(values))
            target.truncate_staging()
            target.mark_duplicates()
            [batch] = target.read_batches(in_order=False)
            counts = target.import_batch(batch)
        expected, broken = judge(rows)
        found = orders.execute(f"SELECT {', '.join(OPEN_ORDERS.names)} FROM open_orders_staging").fetchall()
        assert {row[:2]: row for row in found} == expected
        assert counts == (len(expected), broken)

    check()


@settings(
    max_examples=40, deadline=timedelta(seconds=30), suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)  # fmt: skip
@given(deliveries())
def test_imported_and_rejected_are_what_the_contract_says(
    sync: Sync, erp: Erp, orders: psycopg.Connection[Any], delivery: tuple[dict[str, str], list[dict[str, Any]]]
) -> None:
    erp.types, erp.rows = delivery
    expected, broken = judge(erp.rows)
    orders.execute("TRUNCATE open_orders, rejected_orders")
    try:
        run = sync.run(params={"batch_size": 3, "allow_empty": True, "max_drop_share": 1})
    except AirflowFailException as error:
        assert not expected, str(error)
        assert "Every row was rejected" in str(error)
    else:
        counts = orders.execute(
            "SELECT fetched, imported, rejected, total_after FROM job_logs WHERE run_id = %s", [run.run_id]
        ).fetchone()
        assert counts == (len(erp.rows), len(expected), broken, len(expected))
    columns = ", ".join(OPEN_ORDERS.names)
    found = orders.execute(f"SELECT {columns} FROM open_orders").fetchall()
    assert {row[:2]: row for row in found} == expected
    assert orders.execute("SELECT coalesce(sum(occurrences), 0) FROM rejected_orders").fetchone() == (broken,)
    orders.execute("UPDATE job_logs SET status = 3 WHERE status IN (0, 1)")

"""Every type of SQL Server at its limits in every type of the contract: imported exactly, or rejected and named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from open_orders.contract import OPEN_ORDERS
from tests.integration.erp import COLUMN_TYPES, MSSQL_PYTHON, Erp, Sync, order
from tests.integration.oracle import BrokenError, expect, judge
from tests.integration.outcome import Database, job_log, rejected
from tests.integration.source_values import VALUES

pytestmark = pytest.mark.both_drivers(other="full")
SHOWN = 60
CONTRACT = {column.name: column for column in OPEN_ORDERS.columns}
# One column for each type of the contract that a row can do without; the integer is part of the key.
OPTIONAL = ("customer_name", "order_date", "quantity_ordered", "unit_price", "source_updated_at")
TYPES = list(dict.fromkeys(source_type for source_type, _value, _text in VALUES))
# Several types a test, each in a run of its own: a database for each of them would take most of the time.
GROUPS = [TYPES[start : start + 7] for start in range(0, len(TYPES), 7)]
# What comes after the fetch takes time and doesn't depend on the connection that `connect` tests.
STEPS = ("fetch", "truncate", "import_batches", "publish")

Cases = list[tuple[Any, str]]


def cases(source_type: str) -> Cases:
    return [(value, text) for of, value, text in VALUES if of == source_type]


@pytest.mark.parametrize("types", GROUPS, ids=", ".join)
def test_limit_in_a_column_is_imported_exactly_or_rejected_by_column_and_value(
    sync: Sync, erp: Erp, orders: Database, types: Sequence[str]
) -> None:
    wrong = {}
    for source_type in types:
        if erp.driver == MSSQL_PYTHON and source_type.startswith("datetimeoffset"):
            continue  # refused as a whole: test_source.py
        orders.execute("TRUNCATE open_orders, rejected_orders")
        expected = deliver_one_by_one(erp, source_type)
        sync.run(STEPS, params={"max_drop_share": 1})
        found = read_one_by_one(orders)
        if found != expected:
            wrong[source_type] = (found, expected)
    assert wrong == {}


Outcome = tuple[set[tuple[Any, ...]], list[str]]


def deliver_one_by_one(erp: Erp, source_type: str) -> Outcome:
    """Have each value delivered in each optional column; return the orders and the beginnings of reasons to expect."""
    empty = dict.fromkeys(OPTIONAL)
    erp.types = COLUMN_TYPES | dict.fromkeys(OPTIONAL, source_type)
    erp.rows = rows = [order("without", **empty)]
    imported, broken = {("without", None, None)}, []
    for number, (value, text) in enumerate(cases(source_type)):
        for column in OPTIONAL:
            key = f"{column} {number}"
            rows.append(order(key, **(empty | {column: value})))
            try:
                imported.add((key, column, expect(CONTRACT[column], text)))
            except BrokenError:
                broken.append(f"{column} '{text[:SHOWN]}")
    return imported, sorted(broken)


def read_one_by_one(orders: Database) -> Outcome:
    """Return order number, column and value of each order, and the reasons without their offences."""
    imported = set()
    for number, *values in orders.execute(f"SELECT order_number, {', '.join(OPTIONAL)} FROM open_orders").fetchall():
        held = [(column, value) for column, value in zip(OPTIONAL, values, strict=True) if value is not None]
        imported |= {(number, column, value) for column, value in held or [(None, None)]}
    reasons = [reason for reason, _occurrences in rejected(orders)]
    return imported, sorted(reason[: len(column_of(reason)) + 2 + SHOWN].partition("' ")[0] for reason in reasons)


def column_of(reason: str) -> str:
    return reason.partition(" ")[0]


@pytest.mark.parametrize("types", GROUPS, ids=", ".join)
def test_limit_in_the_key_is_imported_exactly_or_rejected_by_column_and_value(
    sync: Sync, erp: Erp, orders: Database, types: Sequence[str]
) -> None:
    for source_type in types:
        if erp.driver == MSSQL_PYTHON and source_type.startswith("datetimeoffset"):
            continue  # refused as a whole: test_source.py
        orders.execute("TRUNCATE open_orders, rejected_orders")
        given = cases(source_type)
        erp.types = COLUMN_TYPES | {"order_number": source_type, "line_number": source_type}
        erp.rows = [order(value, value) for value, _text in given]
        expected, broken = judge([order(text, text) for _value, text in given])
        try:
            sync.run(STEPS, run_id=source_type, params={"max_drop_share": 1})
        except AirflowFailException as error:
            assert not expected, f"{source_type}: {error}"
            assert "Every row was rejected" in str(error)
        found = orders.execute(f"SELECT {', '.join(OPEN_ORDERS.names)} FROM open_orders").fetchall()
        assert {row[:2]: row for row in found} == expected, source_type
        counts = job_log(orders, source_type)
        assert (counts["fetched"], counts["rejected"]) == (len(given), broken), source_type
        reasons = "\n".join(reason for reason, _occurrences in rejected(orders))
        for _value, text in given:
            for column in ("order_number", "line_number"):
                assert (f"{column} '{text[:SHOWN]}" in reasons) == breaks(column, text), (source_type, text)


def breaks(column: str, text: str) -> bool:
    try:
        expect(CONTRACT[column], text)
    except BrokenError:
        return True
    return False

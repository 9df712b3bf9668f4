"""Every type of SQL Server at its limits in every type of the contract: imported exactly, or rejected and named."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from open_orders.contract import OPEN_ORDERS
from tests.integration.erp import Erp, Sync, order
from tests.integration.oracle import BrokenError, expect, judge
from tests.integration.outcome import Database, job_log, rejected
from tests.integration.source_values import VALUES

SHOWN = 60
CONTRACT = {column.name: column for column in OPEN_ORDERS.columns}
# One column for each type of the contract that a row can do without; the integer is part of the key.
OPTIONAL = ("customer_name", "order_date", "quantity_ordered", "unit_price", "source_updated_at")
TYPES = list(dict.fromkeys(source_type for source_type, _value, _text in VALUES))
# What comes after the fetch takes time and doesn't depend on the connection that `connect` tests.
STEPS = ("fetch", "truncate", "import_batches", "publish")


def cases(source_type: str) -> list[tuple[Any, str]]:
    return [(value, text) for of, value, text in VALUES if of == source_type]


@pytest.mark.parametrize("source_type", TYPES)
def test_limit_in_a_column_is_imported_exactly_or_rejected_by_column_and_value(
    sync: Sync, erp: Erp, orders: Database, source_type: str
) -> None:
    empty = dict.fromkeys(OPTIONAL)
    erp.types |= dict.fromkeys(OPTIONAL, source_type)
    erp.rows = [order("without", **empty)]
    imported, broken = {("without", None, None)}, []
    for number, (value, text) in enumerate(cases(source_type)):
        for column in OPTIONAL:
            key = f"{column} {number}"
            erp.rows.append(order(key, **(empty | {column: value})))
            try:
                imported.add((key, column, expect(CONTRACT[column], text)))
            except BrokenError:
                broken.append(f"{column} '{text[:SHOWN]}")
    sync.run(STEPS)
    found = set()
    for row in orders.execute(f"SELECT order_number, {', '.join(OPTIONAL)} FROM open_orders").fetchall():
        [(column, value)] = [pair for pair in zip(OPTIONAL, row[1:], strict=True) if pair[1] is not None] or [
            (None,) * 2
        ]
        found.add((row[0], column, value))
    assert found == imported
    reasons = sorted(reason for reason, _occurrences in rejected(orders))
    assert [reason[: len(start)] for reason, start in zip(reasons, sorted(broken), strict=True)] == sorted(broken)


@pytest.mark.parametrize("source_type", TYPES)
def test_limit_in_the_key_is_imported_exactly_or_rejected_by_column_and_value(
    sync: Sync, erp: Erp, orders: Database, source_type: str
) -> None:
    erp.types |= {"order_number": source_type, "line_number": source_type}
    erp.rows = [order(value, value) for value, _text in cases(source_type)]
    expected, broken = judge([order(text, text) for _value, text in cases(source_type)])
    try:
        sync.run(STEPS, run_id="it")
    except AirflowFailException as error:
        assert not expected, str(error)
        assert "Every row was rejected" in str(error)
    found = orders.execute(f"SELECT {', '.join(OPEN_ORDERS.names)} FROM open_orders").fetchall()
    assert {row[:2]: row for row in found} == expected
    counts = job_log(orders, "it")
    assert (counts["fetched"], counts["rejected"]) == (len(erp.rows), broken)
    reasons = "\n".join(reason for reason, _occurrences in rejected(orders))
    for _value, text in cases(source_type):
        for column in ("order_number", "line_number"):
            assert (f"{column} '{text[:SHOWN]}" in reasons) == breaks(column, text)


def breaks(column: str, text: str) -> bool:
    try:
        expect(CONTRACT[column], text)
    except BrokenError:
        return True
    return False

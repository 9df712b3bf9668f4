from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from open_orders.column_names import guess_renames
from open_orders.column_types import FIRST_MOMENT, ColumnTypes
from open_orders.contract import OPEN_ORDERS, Column, Text
from open_orders.errors import ContractError
from open_orders.landing import InexactText, RowBatch
from open_orders.source import match_columns


def columns(*names: str) -> list[Column]:
    return [Column(name, Text(), "") for name in names]


def test_columns_match_in_any_order_and_case() -> None:
    found = ["x", *(name.upper() for name in reversed(OPEN_ORDERS.names)), ""]
    query = match_columns(found, OPEN_ORDERS)
    assert [found[position].lower() for position in query.positions] == list(OPEN_ORDERS.names)
    assert query.extra_columns == ("x", "(unnamed)")


def test_missing_and_repeated_columns_are_named_with_expected_and_found() -> None:
    found = [name for name in OPEN_ORDERS.names if name != "due_date"] + ["Currency", ""]
    with pytest.raises(ContractError) as caught:
        match_columns(found, OPEN_ORDERS)
    text = str(caught.value)
    assert "lacks due_date and has currency more than once" in text
    assert "Expected columns: order_number, line_number," in text
    assert text.endswith("source_updated_at, Currency, (unnamed)")


def test_missing_column_is_guessed_among_those_that_nobody_asked_for() -> None:
    renamed = {"due_date": "DueDate", "customer_code": "CustCode", "customer_name": "Customer Name"}
    found = [renamed.get(name, name) for name in OPEN_ORDERS.names] + ["customer_group"]
    with pytest.raises(ContractError) as caught:
        match_columns(found, OPEN_ORDERS)
    assert (
        "lacks customer_code, customer_name, due_date. Perhaps customer_name is now called Customer Name. "
        "Perhaps due_date is now called DueDate. Perhaps customer_code is now called CustCode. Expected columns: "
    ) in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "extra", "guesses"),
    [
        (["quantity_open"], ["qty_open"], {"quantity_open": "qty_open"}),
        (["order_status"], ["status", "warehouse_no"], {"order_status": "status"}),
        (["warehouse"], ["site"], {}),
        (["customer_name"], ["customer_group", "(unnamed)", ""], {}),
        (["order_number", "line_number"], ["number"], {"line_number": "number"}),
        (["due_date"], [], {}),
    ],
)
def test_guess_is_made_only_where_names_are_alike(
    missing: list[str], extra: list[str], guesses: dict[str, str]
) -> None:
    assert guess_renames(missing, extra) == guesses


OFFSET = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("", "text"),
        (InexactText("?"), "text"),
        (False, "bit"),
        (0, "integer"),
        (0.0, "float"),
        (Decimal(0), "decimal"),
        (date(2026, 1, 2), "date"),
        (datetime(2026, 1, 2), "date and time"),
        (datetime(2026, 1, 2, tzinfo=OFFSET), "date and time with offset"),
        (time(0), "time"),
        (UUID(int=0), "uniqueidentifier"),
        (b"", "binary"),
        (1j, "complex"),
    ],
)
def test_type_of_a_column_is_that_of_its_first_value(value: Any, name: str) -> None:
    types = ColumnTypes(["a", "b", "c"])
    names = ("a", "b", "c")
    rows: list[list[tuple[Any, ...]]] = [[(None, 1, None)], [(None, 2, None), (value, 3, None)], [(4, 4, None)]]
    batches = [RowBatch(columns(*names), some) for some in rows]
    assert list(types.learn(batches)) == batches
    assert types.found == {"a": name, "b": "integer"}


@pytest.mark.parametrize(
    ("values", "latest"),
    [
        ([datetime(2026, 1, 2), None, datetime(2026, 1, 3)], datetime(2026, 1, 3)),
        ([datetime(2026, 1, 3), "2026-01-04", datetime(2026, 1, 5)], None),
        ([datetime(2026, 1, 3, tzinfo=OFFSET)], None),
        ([date(2026, 1, 3)], None),
        ([None], FIRST_MOMENT),
        ([], FIRST_MOMENT),
    ],
)
def test_latest_moment_is_known_when_all_values_are_moments(values: list[Any], latest: datetime | None) -> None:
    types = ColumnTypes(["a", "b"], "b")
    assert len(list(types.learn(RowBatch(columns("a", "b"), [(1, value)]) for value in values))) == len(values)
    assert types.latest == latest

from __future__ import annotations

import pytest

from open_orders.contract import OPEN_ORDERS
from open_orders.errors import ContractError
from open_orders.source import match_columns


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

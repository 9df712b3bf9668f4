from __future__ import annotations

import re
from pathlib import Path

from open_orders.contract import OPEN_ORDERS, Column, Contract, LocalTimestamp, Text
from open_orders.source import read_source_query

ROOT = Path(__file__).parents[2]
SQL_FILES = sorted((ROOT / "include" / "sql").glob("*/*.sql"))


def test_key_is_order_and_line() -> None:
    assert OPEN_ORDERS.key == ("order_number", "line_number")
    assert [column.name for column in OPEN_ORDERS.columns if not column.nullable] == [
        "order_number",
        "line_number",
        "customer_code",
        "quantity_open",
    ]


def test_last_change_is_a_time_of_the_erps_clock_or_is_not_named() -> None:
    assert OPEN_ORDERS.last_change is not None
    assert OPEN_ORDERS.last_change.name == "source_updated_at"
    assert isinstance(OPEN_ORDERS.last_change.type, LocalTimestamp)
    assert Contract("t", "row", (Column("v", Text(9), "a value", nullable=False, key=True),)).last_change is None


def test_shipped_source_query_yields_every_column_of_the_contract() -> None:
    query = read_source_query(ROOT / "include" / "sql" / "source" / "open_orders.sql")
    code = re.sub(r"--.*", "", query)
    assert set(re.findall(r"\bAS (\w+)[,\n]", code)) >= set(OPEN_ORDERS.names)


def test_target_statements_name_no_column_of_the_contract() -> None:
    for file in SQL_FILES:
        if file.parent.name == "target":
            code = re.sub(r"--.*", "", file.read_text())
            assert [name for name in OPEN_ORDERS.names if re.search(rf"\b{name}\b", code)] == [], file.name


def test_every_statement_says_its_purpose() -> None:
    assert len(SQL_FILES) > 20
    for file in SQL_FILES:
        assert file.read_text().startswith("-- "), file.name


def test_counts_read_well() -> None:
    assert [OPEN_ORDERS.count(number) for number in (0, 1, 2500)] == ["0 orders", "1 order", "2,500 orders"]

"""Results of every shape: none, many, wide, misnamed, with messages and errors around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from open_orders.errors import SourceError
from sandbox.tds.engine import Outcome, ResultSet, RowCount, ServerMessage, make_error
from sandbox.tds.scripted_engine import make_result
from tests.integration.erp import COLUMN_TYPES, MSSQL_PYTHON, PYMSSQL, QUERY, Erp, Sync, order
from tests.integration.outcome import Database, details, job_log, messages, published

pytestmark = pytest.mark.both_drivers(other="full")
Columns = list[tuple[str, str]]


def result(rows: int = 1, more: Columns | None = None, at: int = 0) -> ResultSet:
    """Return a result with so many orders, and with more columns before the contract's column number `at`."""
    columns = list(COLUMN_TYPES.items())
    values = [tuple(order(f"SO{number}").values()) for number in range(1, rows + 1)]
    extra = more or []
    return make_result(
        [*columns[:at], *extra, *columns[at:]],
        [(*row[:at], *(f"x{number}" for number in range(len(extra))), *row[at:]) for row in values],
    )


def message(severity: int, text: str = "a message") -> ServerMessage:
    return ServerMessage(50000, severity, 1, text)


@pytest.fixture
def snapshot(sync: Sync, erp: Erp) -> list[str]:
    """Publish an order, and return what must be there after a run that fails."""
    erp.rows = [order("before")]
    sync.run()
    return ["before"]


@pytest.mark.parametrize(
    ("outcomes", "says"),
    [
        ([], "The source query returns no result: expected one SELECT with the orders"),
        ([RowCount(7)], "The source query returns no result"),
        ([message(0), message(0, "another")], "The source query returns no result"),
        ([make_result([], [])], "The source query returns no result"),
        ([make_result([("one", "int")], [(1,)])], "The source query lacks order_number, line_number, .* Found: one"),
        ([make_result([("", "int")], [(1,)])], r"Found: \(unnamed\)"),
        ([result(), result()], "The source query returns more than one result"),
        ([result(0), result()], "The source query returns more than one result"),
        ([result(), make_result([("x", "int")], [])], "The source query returns more than one result"),
        ([make_result([("x", "int")], []), result()], "The source query lacks order_number, .* Found: x"),
        ([result(more=[("Order_Number", "nvarchar(9)")])], "has order_number more than once"),
        (
            [result(more=[("LINE_NUMBER", "nvarchar(9)"), ("due_date", "nvarchar(9)")])],
            "has due_date, line_number more",
        ),
    ],
)
def test_result_of_another_shape_is_refused_for_good_with_its_reason(
    sync: Sync, erp: Erp, orders: Database, snapshot: list[str], outcomes: list[Outcome], says: str
) -> None:
    erp.engine.script(QUERY, outcomes)
    with pytest.raises(AirflowFailException, match=says):
        sync.run(run_id="it")
    assert job_log(orders, "it")["status"] == 3
    assert published(orders) == snapshot


@pytest.mark.parametrize(
    "outcomes",
    [
        [message(0), result(2)],
        [RowCount(5), RowCount(None), result(2)],
        [result(2), message(0), RowCount(None)],
        [message(0, "PRINT 😀\n\\."), RowCount(1), result(2), message(1), message(5)],
    ],
    ids=["PRINT before", "row counts before", "PRINT after", "all of it"],
)
def test_messages_and_row_counts_around_the_result_do_not_matter(
    sync: Sync, erp: Erp, orders: Database, outcomes: list[Outcome]
) -> None:
    erp.engine.script(QUERY, outcomes)
    sync.run()
    assert published(orders) == ["SO1", "SO2"]


@pytest.mark.parametrize("nocount", ["SET NOCOUNT ON", "SET NOCOUNT OFF"])
def test_row_counts_may_be_on_or_off(sync: Sync, erp: Erp, orders: Database, nocount: str) -> None:
    erp.query_file.write_text(f"{nocount};\n{QUERY}")
    erp.rows = [order(f"SO{number}") for number in range(5)]
    sync.run(params={"batch_size": 2})
    assert len(published(orders)) == 5


@pytest.mark.parametrize("severity", [6, 9, 10])
def test_message_that_the_driver_takes_for_an_error_stops_the_run_with_its_text(
    sync: Sync, erp: Erp, orders: Database, snapshot: list[str], severity: int
) -> None:
    """RAISERROR with a severity of 6 to 9; SQL Server sends its own warnings, and PRINT, with 0.

    pymssql takes it for an error, mssql-python for the information that it is.
    """
    erp.engine.script(QUERY, [message(severity, "nearly an error"), result()])
    if erp.driver == MSSQL_PYTHON:
        sync.run(params={"max_drop_share": 1})
        assert published(orders) == ["SO1"]
        return
    with pytest.raises(SourceError, match="reported error 50000: nearly an error"):
        sync.run(run_id="it", attempt=3)
    assert published(orders) == snapshot


@pytest.mark.parametrize(("severity", "after_rows"), [(11, 0), (16, 0), (16, 2), (20, 2), (24, 2), (25, 0)])
def test_error_behind_the_rows_is_an_error(
    sync: Sync, erp: Erp, orders: Database, snapshot: list[str], severity: int, after_rows: int
) -> None:
    erp.engine.script(QUERY, [result(after_rows), make_error(50001, "too late", severity=severity)])
    # From a severity of 20 on mssql-python ends the session, which could have told the number.
    numbered = erp.driver == PYMSSQL or severity < 20
    with pytest.raises(SourceError, match=f"{' reported error 50001' if numbered else 'SQL Server'}.*: too late"):
        sync.run(run_id="it", attempt=3)
    assert job_log(orders, "it")["error_summary"].startswith("fetch: SQL Server")
    assert published(orders) == snapshot


def test_wide_result_is_read_and_the_columns_that_nobody_asked_for_are_a_warning(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    more = [(f"extra_{number}", "nvarchar(10)") for number in range(10_000)]
    erp.engine.script(QUERY, [result(3, more, at=8)])
    run = sync.run()
    assert orders.execute("SELECT order_number, warehouse FROM open_orders ORDER BY 1").fetchall() == [
        ("SO1", "W1"), ("SO2", "W1"), ("SO3", "W1"),
    ]  # fmt: skip
    [warning] = [text for level, text in details(orders, run.run_id) if level == "warning"]
    assert warning.startswith("Columns that the contract doesn't have are ignored: extra_0, extra_1")


def test_wide_result_without_the_columns_is_refused(
    sync: Sync, erp: Erp, orders: Database, snapshot: list[str]
) -> None:
    columns = [(f"c{number}", "int") for number in range(10_000)]
    erp.engine.script(QUERY, [make_result(columns, [tuple(range(10_000))])])
    with pytest.raises(AirflowFailException, match="lacks order_number, line_number"):
        sync.run(run_id="it")
    assert len(job_log(orders, "it")["error_summary"]) <= 500
    assert published(orders) == snapshot


ODD_NAMES = [
    "", "", "x", "x", "X", "order number", "order_number ", "'; DROP TABLE open_orders; --", '"quoted"', "a\nb\tc",
    "日本😀", "%s %(x)s {0}", "x" * 128, "İ" * 128, "\u202eabc", "a\x01b", "<b>", "\\.", "[x]",
]  # fmt: skip


def test_columns_that_nobody_asked_for_may_be_named_anything(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.engine.script(QUERY, [result(2, [(name, "nvarchar(10)") for name in ODD_NAMES], at=3)])
    run = sync.run()
    assert published(orders) == ["SO1", "SO2"]
    names = ", ".join(name or "(unnamed)" for name in ODD_NAMES)
    assert f"Columns that the contract doesn't have are ignored: {names}" in messages(orders, run.run_id)


@pytest.mark.parametrize("name", ["a\x00b", "a\ud83db"])
def test_name_of_a_column_that_nobody_can_write_down_is_shown_without_it(
    sync: Sync, erp: Erp, orders: Database, name: str
) -> None:
    erp.engine.script(QUERY, [result(more=[(name, "nvarchar(10)")])])
    if erp.driver == MSSQL_PYTHON and "\ud83d" in name:
        with pytest.raises(SourceError, match="makes no sense; .* lone surrogate found"):
            sync.run()
        return
    run = sync.run()
    assert published(orders) == ["SO1"]
    [warning] = [text for level, text in details(orders, run.run_id) if level == "warning"]
    assert warning.startswith("Columns that the contract doesn't have are ignored: a")


def test_rows_may_end_in_nothing_but_nulls(sync: Sync, erp: Erp, orders: Database) -> None:
    needed = {"order_number", "line_number", "customer_code", "quantity_open"}
    erp.rows = [order() | {name: None for name in COLUMN_TYPES if name not in needed}]
    sync.run()
    [row] = orders.execute("SELECT * FROM open_orders").fetchall()
    assert row.count(None) == len(COLUMN_TYPES) - len(needed)


def test_rows_that_cannot_be_made_are_an_error_after_those_before(
    sync: Sync, erp: Erp, orders: Database, snapshot: list[str]
) -> None:
    def rows() -> Iterator[tuple[Any, ...]]:
        yield tuple(order("SO1").values())
        raise make_error(8134, "Divide by zero error encountered.")

    erp.engine.script(QUERY, lambda _batch: [make_result(list(COLUMN_TYPES.items()), rows())])
    with pytest.raises(SourceError, match="refused the source query.*: Divide by zero"):
        sync.run(run_id="it", attempt=3)
    assert published(orders) == snapshot

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.contract import Column, Contract, Text
from open_orders.errors import IncompleteFetchError, SourceError
from open_orders.landing import to_landing
from open_orders.source import SourceSession, open_source
from open_orders.source_connection import SourceAddress
from open_orders.source_watch import SourceWatch
from sandbox.tds.collations import TURKISH
from sandbox.tds.engine import make_error
from sandbox.tds.faults import Faults
from sandbox.tds.scripted_engine import make_result
from tests.integration.driver_process import DriverProcess
from tests.integration.erp import Erp
from tests.integration.source_values import VALUES

ONE = Contract("one", "row", (Column("v", Text(250), "a value", nullable=False, key=True),))
STATEMENT = "SELECT v FROM t"


@pytest.fixture
def session(erp: Erp) -> Iterator[SourceSession]:
    with open_source(MsSqlHook("erp_mssql")) as session:
        yield session


def read(session: SourceSession, statement: str = STATEMENT, batch_rows: int = 100) -> list[Any]:
    """Return all values of the only column, as they land."""
    query = session.start(statement, ONE)
    rows = [row for batch in session.batches(query, batch_rows) for row in batch]
    session.confirm()
    return [to_landing(ONE.names, row)[0][0] for row in rows]


@pytest.mark.parametrize(("source_type", "value", "text"), VALUES)
def test_value_arrives_exactly_and_null_as_null(
    erp: Erp, session: SourceSession, source_type: str, value: Any, text: str
) -> None:
    erp.engine.script(STATEMENT, [make_result([("v", source_type)], [(value,), (None,)])])
    assert read(session) == [text, None]


def test_turkish_varchar_is_sent_in_its_code_page(erp: Erp) -> None:
    # The case above would prove little if the stand-in sent varchar as UTF-8.
    assert TURKISH.codec == "cp1254"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT v FROM t",
        "  -- a comment with a 'quote\n/* and; another */ SELECT v FROM t;\n",
        "SET NOCOUNT ON;\nSELECT v FROM t",
        "SET NOCOUNT ON; SET DATEFIRST 1; SELECT v FROM t;",
    ],
)
def test_statement_forms_that_precede_the_query_do_not_matter(erp: Erp, session: SourceSession, statement: str) -> None:
    erp.engine.script(STATEMENT, [make_result([("v", "int")], [(1,), (2,)])])
    session.be_a_good_guest(15)
    assert read(session, statement) == ["1", "2"]


def test_batches_are_full_but_the_last(erp: Erp, session: SourceSession) -> None:
    erp.engine.script(STATEMENT, [make_result([("v", "int")], [(number,) for number in range(7)])])
    query = session.start(STATEMENT, ONE)
    assert [len(batch) for batch in session.batches(query, 3)] == [3, 3, 1]
    assert session.confirm() == 7


@pytest.mark.parametrize("rows", [0, 3, 6])
def test_number_of_rows_that_fills_the_batches_ends_cleanly(erp: Erp, session: SourceSession, rows: int) -> None:
    erp.engine.script(STATEMENT, [make_result([("v", "int")], [(number,) for number in range(rows)])])
    query = session.start(STATEMENT, ONE)
    assert [len(batch) for batch in session.batches(query, 3)] == [3] * (rows // 3)
    assert session.confirm() == rows


def test_good_guest_sets_lock_timeout_and_priority_and_names_itself(erp: Erp, session: SourceSession) -> None:
    session.be_a_good_guest(15)
    record = erp.server.sessions[-1]
    assert "SET LOCK_TIMEOUT 15000; SET DEADLOCK_PRIORITY LOW;" in record.batches
    assert record.application == "open-orders-sync"


def test_memory_does_not_grow_with_the_rows(erp: Erp, session: SourceSession) -> None:
    def peak(rows: int) -> int:
        """Return the most bytes that the reader held between two batches; the stand-in's own don't count."""
        erp.engine.script(STATEMENT, lambda _: [make_result([("v", "int")], ((number,) for number in range(rows)))])
        query = session.start(STATEMENT, ONE)
        held = [
            sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(reader).traces)
            for number, _batch in enumerate(session.batches(query, 100))
            if number % 10 == 0
        ]
        session.confirm()
        return max(held)

    reader = [tracemalloc.Filter(True, "*/open_orders/source.py")]
    tracemalloc.start()
    try:
        assert 0 < peak(20_000) < 2 * peak(2_000)
    finally:
        tracemalloc.stop()


def test_connection_cut_at_any_byte_of_the_result_is_an_error(erp: Erp) -> None:
    erp.engine.script(STATEMENT, lambda _: [make_result([("v", "nvarchar(20)")], [("first",), ("second",)])])
    assert _cut(erp, None) is None
    # COLMETADATA of one nvarchar column, and two ROW tokens with a length and UTF-16 text.
    columns, rows = 3 + 4 + 2 + 1 + 2 + 5 + 1 + 2, 2 * (1 + 2) + 2 * (len("first") + len("second"))
    assert [position for position in range(columns + rows + 1) if _cut(erp, position) is None] == []


def _cut(erp: Erp, position: int | None) -> Exception | None:
    erp.server.faults = Faults(drop_after_bytes=position)
    try:
        with open_source(MsSqlHook("erp_mssql")) as session:
            assert read(session) == ["first", "second"]
    except (SourceError, IncompleteFetchError) as error:
        return error
    return None


def test_stalled_source_is_an_error_after_its_timeout(erp: Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", f"{os.environ['AIRFLOW_CONN_ERP_MSSQL']}?timeout=1")
    erp.engine.script(STATEMENT, [make_result([("v", "int")], [(1,), (2,), (3,)])])
    erp.server.faults = Faults(stall_after_rows=2)
    with (
        open_source(MsSqlHook("erp_mssql")) as session,
        pytest.raises(SourceError, match="SQL Server stopped answering"),
    ):
        read(session)


def test_time_limit_ends_the_drivers_connection_and_no_other(
    erp: Erp, orders_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", f"{os.environ['AIRFLOW_CONN_ERP_MSSQL']}?timeout=60")
    erp.engine.script(STATEMENT, [make_result([("v", "int")], [(1,), (2,), (3,)])])
    erp.server.faults = Faults(stall_after_rows=2)
    with (
        open_source(MsSqlHook("erp_mssql"), time_limit_s=1) as session,
        psycopg.connect(orders_dsn) as other,
    ):
        with pytest.raises(SourceError, match="took longer than 0.9 s to answer in full; .* 1 s .2 rows had come"):
            read(session)
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_time_limit_does_not_count_while_the_driver_rests() -> None:
    """What takes long elsewhere is not blamed on SQL Server."""
    watch = SourceWatch(SourceAddress("erp.example", 1433, "ERP", "reader"), 0, pytest.fail)
    watch.look()
    assert watch.ended_because is None
    with watch.working():
        watch.look()
    assert (watch.ended_because or "").startswith("SQL Server erp.example:1433/ERP took longer than 0 s to answer")


def test_unreachable_server_is_named(driver: DriverProcess, unused_port: int, tmp_path: Path) -> None:
    ending = driver.read(f"mssql://reader:secret@127.0.0.1:{unused_port}/ERP", tmp_path)
    assert (ending.error or "").startswith(f"SQL Server 127.0.0.1:{unused_port}/ERP can't be reached")


@pytest.mark.parametrize("number", [207, 208, 102, 229])
def test_refused_query_names_the_servers_error(erp: Erp, session: SourceSession, number: int) -> None:
    erp.engine.script(STATEMENT, [make_error(number, "Invalid thing 'x'.")])
    with pytest.raises(SourceError, match="Invalid thing 'x'"):
        session.start(STATEMENT, ONE)


def test_missing_database_and_encryption_are_told_apart_from_a_wrong_password(erp: Erp, driver: DriverProcess) -> None:
    erp.server.faults = Faults(no_encryption=True)
    address = os.environ["AIRFLOW_CONN_ERP_MSSQL"]
    for changed, says in [
        (address.replace("reader:", "stranger:"), "refused the login 'stranger'"),
        (address + "?encryption=require", "ended the connection while logging in; check encryption and TDS version"),
    ]:
        assert says in (driver.read(changed, erp.query_file).error or "")

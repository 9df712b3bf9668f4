from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import psycopg
import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.contract import Column, Contract, Text
from open_orders.errors import ContractError, IncompleteFetchError, SourceError, SourceQueryError
from open_orders.source import SourceSession, open_source
from open_orders.source_connection import SourceAddress
from open_orders.source_watch import SourceWatch
from sandbox.tds.collations import TURKISH
from sandbox.tds.engine import make_error
from sandbox.tds.faults import Faults
from sandbox.tds.scripted_engine import make_result
from tests.integration.driver_process import DriverProcess
from tests.integration.erp import MSSQL_PYTHON, PYMSSQL, Erp
from tests.integration.source_values import VALUES

pytestmark = pytest.mark.both_drivers
ONE = Contract("one", "row", (Column("v", Text(max_length=250), "a value", nullable=False, key=True),))
STATEMENT = "SELECT v FROM t"


@pytest.fixture
def session(erp: Erp) -> Iterator[SourceSession]:
    with open_source(MsSqlHook("erp_mssql")) as session:
        yield session


def read(session: SourceSession, statement: str = STATEMENT, batch_rows: int = 100) -> list[Any]:
    """Return all values of the only column, as they land."""
    query = session.start(statement, ONE)
    texts = [text for batch in session.batches(query, batch_rows) for [text], _unstorable in batch.landed()]
    session.confirm()
    return texts


def test_every_value_arrives_exactly_and_null_as_null(erp: Erp, session: SourceSession) -> None:
    wrong = {}
    for source_type, value, text in VALUES:
        if source_type.startswith("datetimeoffset") and erp.driver == MSSQL_PYTHON:
            continue  # see below
        erp.engine.script(STATEMENT, [make_result([("v", source_type)], [(value,), (None,)])])
        if (found := read(session)) != [text, None]:
            wrong[source_type, value] = found
    assert wrong == {}


def test_offset_that_the_driver_loses_is_refused(erp: Erp, session: SourceSession) -> None:
    erp.engine.script(STATEMENT, [make_result([("v", "datetimeoffset(7)"), ("other", "int")], [(None, 1)])])
    if erp.driver == PYMSSQL:
        assert read(session) == [None]
        return
    with pytest.raises(SourceQueryError, match="returns v as datetimeoffset, whose offset the driver mssql-python lo"):
        read(session)


def test_offset_of_a_column_that_nobody_asked_for_does_not_matter(erp: Erp, session: SourceSession) -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    erp.engine.script(STATEMENT, [make_result([("other", "datetimeoffset(7)"), ("V", "int")], [(moment, 1)])])
    assert read(session) == ["1"]


def test_refused_result_is_not_read_to_its_end(erp: Erp) -> None:
    left = Event()

    def rows() -> Iterator[tuple[int]]:
        try:
            while True:
                yield (1,)
        finally:
            left.set()

    erp.engine.script(STATEMENT, lambda _: [make_result([("x", "int")], rows())])
    with pytest.raises(ContractError), open_source(MsSqlHook("erp_mssql")) as session:
        session.start(STATEMENT, ONE)
    assert left.wait(30)


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
    assert record.application == {PYMSSQL: "open-orders-sync", MSSQL_PYTHON: "MSSQL-Python"}[erp.driver]


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

    reader = [tracemalloc.Filter(True, "*/open_orders/source_*.py")]
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
    monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(timeout=1))
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
    monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(timeout=60))
    erp.engine.script(STATEMENT, [make_result([("v", "int")], [(1,), (2,), (3,)])])
    erp.server.faults = Faults(stall_after_rows=2)
    with (
        open_source(MsSqlHook("erp_mssql"), time_limit_s=3) as session,
        psycopg.connect(orders_dsn) as other,
    ):
        with pytest.raises(SourceError, match="took longer than 2.7 s to answer in full; .* 3 s"):
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


def test_unreachable_server_is_named(driver: DriverProcess, unused_port: int, erp: Erp) -> None:
    ending = driver.read(erp.address(unused_port), erp.query_file)
    assert (ending.error or "").startswith(f"SQL Server 127.0.0.1:{unused_port}/ERP can't be reached")


@pytest.mark.parametrize("number", [207, 208, 102, 229])
def test_refused_query_names_the_servers_error(erp: Erp, session: SourceSession, number: int) -> None:
    erp.engine.script(STATEMENT, [make_error(number, "Invalid thing 'x'.")])
    with pytest.raises(SourceError, match="Invalid thing 'x'"):
        session.start(STATEMENT, ONE)


def test_reasons_to_be_refused_are_told_apart(erp: Erp, driver: DriverProcess) -> None:
    no_encryption = {
        PYMSSQL: "ended the connection while logging in; check encryption and TDS version",
        MSSQL_PYTHON: "offers no encryption; set the connection's extra encryption to off",
    }
    erp.server.faults = Faults(no_encryption=True)
    for address, says in [
        (erp.address(login="stranger", encryption="off"), "refused the login 'stranger'"),
        (erp.address(encryption="require"), no_encryption[erp.driver]),
    ]:
        assert says in (driver.read(address, erp.query_file).error or "")


def test_encryption_is_that_of_the_driver_unless_the_connection_says_otherwise(erp: Erp) -> None:
    for extras, encrypted in [({}, erp.driver == MSSQL_PYTHON), ({"encryption": "off"}, False),
                              ({"encryption": "request"}, False), ({"encryption": "require"}, True)]:  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(**extras))
            with open_source(MsSqlHook("erp_mssql")) as session:
                session.read_version()
        assert erp.server.sessions[-1].encrypted is encrypted


def test_certificate_that_nobody_vouches_for_is_named_with_what_to_do(
    erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(trust_server_certificate="false"))
    if erp.driver == PYMSSQL:
        with open_source(MsSqlHook("erp_mssql")):
            return
    with pytest.raises(SourceError, match="is not trusted; .* extra trust_server_certificate to true to trust any"):
        open_source(MsSqlHook("erp_mssql")).__enter__()

"""The stand-in serves Microsoft's own driver as well: mssql-python with its Rust provider, with and without TLS."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from typing import Any

import mssql_python
import pyarrow as pa
import pytest

from sandbox.tds import packets
from sandbox.tds.engine import RowCount, ServerMessage, make_error
from sandbox.tds.faults import Faults
from sandbox.tds.packets import ClientGoneError
from sandbox.tds.scripted_engine import ScriptedEngine, make_column, make_result
from sandbox.tds.server import StandInServer
from tests.sandbox.tds_client import PASSWORD, BareClient, Connect
from tests.sandbox.test_tds_types import UTC_PLUS_3
from tests.sandbox.test_tds_types import VALUES as HELD_AND_GIVEN

ROW_COUNT = 1000
QUERY = "SELECT n, name FROM dbo.Numbers"
# Where Arrow's value is another than that of a row: it has no offset, and GUIDs are texts there.
IN_ARROW = {
    dt.datetime(2024, 1, 1, 0, 30, tzinfo=UTC_PLUS_3): dt.datetime(2023, 12, 31, 21, 30, tzinfo=dt.UTC),
    uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"): "01234567-89AB-CDEF-0123-456789ABCDEF",
}


@pytest.fixture
def server(engine: ScriptedEngine) -> Iterator[StandInServer]:
    with StandInServer(engine, users={"sa": PASSWORD}, replies_at_once=True) as running:
        yield running


@pytest.fixture(autouse=True)
def numbers(engine: ScriptedEngine) -> None:
    rows = [(n, f"number {n}") for n in range(ROW_COUNT)]
    engine.script(QUERY, [make_result([("n", "int"), ("name", "nvarchar(20)")], rows)])


@pytest.fixture
def connect(server: StandInServer) -> Iterator[Connect]:
    mssql_python.native_provider = "mssql-odbc"
    mssql_python.pooling(enabled=False)

    def open_connection(timeout: int = 10, query_timeout: int = 60, autocommit: bool = True, **changes: Any) -> Any:
        options = {"server": f"127.0.0.1,{server.port}", "database": "ERP", "uid": "sa", "pwd": PASSWORD}
        options |= {"encrypt": "yes", "trustservercertificate": "yes"} | changes
        connection = mssql_python.connect(autocommit=autocommit, timeout=timeout, **options)
        connection.timeout = query_timeout
        return opened.enter_context(closing(connection))

    with ExitStack() as opened:
        yield open_connection


def fetch(cursor: Any, batch: str = QUERY, size: int = 100) -> tuple[int, Exception | None]:
    """Return how many rows came through Arrow and the error that ended them."""
    received = 0
    try:
        cursor.execute(batch)
        while rows := cursor.arrow_batch(size).num_rows:
            received += rows
    except mssql_python.Error as error:
        return received, error
    return received, None


def ask(cursor: Any, batch: str) -> Any:
    cursor.execute(batch)
    return cursor.fetchone()[0]


@pytest.mark.parametrize(("encrypt", "encrypted"), [("yes", True), ("no", False)])
def test_connection_is_encrypted_if_the_client_asks_for_it(
    server: StandInServer, connect: Connect, encrypt: str, encrypted: bool
) -> None:
    assert fetch(connect(encrypt=encrypt).cursor()) == (ROW_COUNT, None)
    assert server.sessions[-1].encrypted is encrypted
    assert server.sessions[-1].tds_version == packets.TDS_7_4


def test_large_requests_and_replies_pass_through_tls(engine: ScriptedEngine, connect: Connect) -> None:
    text = "ş" * 200_000
    engine.script(lambda batch: batch.startswith("SELECT long"), [make_result([("v", "nvarchar(max)")], [(text,)])])

    assert ask(connect().cursor(), f"SELECT long -- {text}") == text


def test_certificate_that_nobody_trusts_is_refused_by_the_client(connect: Connect) -> None:
    with pytest.raises(mssql_python.OperationalError, match="certificate"):
        connect(trustservercertificate="no")


def test_client_is_told_that_there_is_no_encryption(server: StandInServer, connect: Connect) -> None:
    server.faults = Faults(no_encryption=True)
    with pytest.raises(mssql_python.OperationalError, match="does not support encryption"):
        connect()


def test_handshake_that_is_none_ends_only_its_own_connection(server: StandInServer, connect: Connect) -> None:
    with BareClient(server.port, encryption=True) as client:
        client.send(packets.PRELOGIN, b"no TLS record")
        with pytest.raises(ClientGoneError):
            client.read_reply()
            client.read_reply()

    assert fetch(connect().cursor()) == (ROW_COUNT, None)


@pytest.mark.parametrize(("user", "password"), [("sa", "wrong"), ("nobody", PASSWORD)])
def test_wrong_password_and_unknown_login_fail_alike(connect: Connect, user: str, password: str) -> None:
    with pytest.raises(mssql_python.OperationalError, match="Invalid authorization specification.*Login failed"):
        connect(uid=user, pwd=password)


def test_every_value_arrives_in_rows_and_in_arrow(engine: ScriptedEngine, connect: Connect) -> None:
    columns = [(f"c{index}", sql_type) for index, (sql_type, _, _) in enumerate(HELD_AND_GIVEN)]
    held = tuple(value for _, value, _ in HELD_AND_GIVEN)
    given_back = tuple(value for _, _, value in HELD_AND_GIVEN)
    nulls = (None,) * len(columns)
    engine.script("SELECT it", [make_result(columns, [nulls, held, nulls])])
    cursor = connect().cursor()

    cursor.execute("SELECT it")
    assert [tuple(row) for row in cursor.fetchall()] == [nulls, given_back, nulls]
    cursor.execute("SELECT it")
    batch = cursor.arrow_batch(10)
    rows = [tuple(column[row].as_py() for column in _without_nanoseconds(batch)) for row in range(3)]
    assert rows == [nulls, tuple(IN_ARROW.get(v, v) if _hashable(v) else v for v in given_back), nulls]


def _without_nanoseconds(batch: pa.RecordBatch) -> list[pa.Array]:
    times = pa.time64("us")
    return [column.cast(times, safe=False) if pa.types.is_time(column.type) else column for column in batch.columns]


def _hashable(value: object) -> bool:
    return isinstance(value, dt.datetime | uuid.UUID)


def test_not_null_columns_carry_the_same_values(engine: ScriptedEngine, connect: Connect) -> None:
    result = make_result([], [tuple(held for _, held, _ in HELD_AND_GIVEN)])
    result.columns = [make_column(f"c{n}", kind, nullable=False) for n, (kind, _, _) in enumerate(HELD_AND_GIVEN)]
    engine.script("SELECT it", [result])
    cursor = connect().cursor()
    cursor.execute("SELECT it")

    assert tuple(cursor.fetchone()) == tuple(given_back for _, _, given_back in HELD_AND_GIVEN)


def test_types_tell_what_arrow_would_lose(engine: ScriptedEngine, connect: Connect) -> None:
    types = {
        "money": pa.decimal128(19, 4), "decimal(38,20)": pa.decimal128(38, 20), "datetime2(7)": pa.timestamp("us"),
        "datetimeoffset(7)": pa.timestamp("us", "+00:00"), "time(7)": pa.time64("ns"), "tinyint": pa.uint8(),
        "real": pa.float32(), "uniqueidentifier": pa.large_string(), "varbinary(max)": pa.large_binary(),
    }  # fmt: skip
    engine.script("SELECT it", [make_result([(name, name) for name in types], [])])
    cursor = connect().cursor()
    cursor.execute("SELECT it")

    assert {field.name: field.type for field in cursor.arrow_batch(0).schema} == types


def test_several_results_row_counts_and_messages_come_one_after_the_other(
    engine: ScriptedEngine, connect: Connect
) -> None:
    first, second = make_result([("a", "int")], [(1,), (2,)]), make_result([("b", "int")], [(3,)])
    engine.script("EXEC all", [ServerMessage(50000, 0, 1, "said"), RowCount(7), first, RowCount(7), second])
    cursor = connect().cursor()
    cursor.execute("EXEC all")
    said = cursor.messages
    found = []
    more = True
    while more:
        if cursor.description:
            found.append([tuple(row) for row in cursor.fetchall()])
        more = cursor.nextset()

    assert found == [[(1,), (2,)], [(3,)]]
    assert "said" in said[0][1]
    assert fetch(cursor) == (ROW_COUNT, None)


def test_error_names_the_servers_and_the_session_lives(engine: ScriptedEngine, connect: Connect) -> None:
    engine.script("SELECT bad", [make_error(207, "Invalid column name 'ş東'.", severity=16, state=3, line=42)])
    cursor = connect().cursor()
    with pytest.raises(mssql_python.ProgrammingError, match="Column not found.*Invalid column name 'ş東'"):
        cursor.execute("SELECT bad")

    assert ask(cursor, "SELECT @@ERROR") == 207
    assert fetch(cursor) == (ROW_COUNT, None)


def test_parameters_are_a_clear_error(connect: Connect) -> None:
    with pytest.raises(mssql_python.ProgrammingError, match="not remote procedure calls"):
        connect().cursor().execute("SELECT 1 WHERE 1 = ?", (1,))


def test_transactions_begin_and_end(server: StandInServer, connect: Connect) -> None:
    connection = connect(autocommit=False)
    cursor = connection.cursor()
    assert ask(cursor, "SELECT @@TRANCOUNT") == 1
    connection.commit()
    connection.autocommit = True

    assert ask(cursor, "SELECT @@TRANCOUNT") == 0


def test_rowcount_is_that_of_the_rows_fetched(connect: Connect) -> None:
    cursor = connect().cursor()
    assert fetch(cursor) == (ROW_COUNT, None)

    assert ask(cursor, "SELECT @@ROWCOUNT") == ROW_COUNT


@pytest.mark.parametrize(("encrypt", "reset"), [("yes", False), ("no", True)], ids=["TLS and FIN", "RST"])
def test_connection_cut_at_any_byte_of_a_result_is_an_error(
    engine: ScriptedEngine, server: StandInServer, connect: Connect, encrypt: str, reset: bool
) -> None:
    engine.script("SELECT two", [make_result([("n", "int"), ("s", "varchar(5)")], [(1, "a"), (2, "b")])])
    silent = []
    for size in range(1, 50):  # 31 bytes of column descriptions, two rows of 9
        server.faults = None
        cursor = connect(encrypt=encrypt).cursor()
        server.faults = Faults(drop_after_bytes=size, reset=reset)
        if fetch(cursor, "SELECT two")[1] is None:
            silent.append(size)
    assert silent == []


@pytest.mark.parametrize("fault", [Faults(stall_before_rows=True), Faults(stall_after_rows=300)])
def test_stall_ends_in_the_clients_query_timeout_and_the_session_lives(
    server: StandInServer, connect: Connect, fault: Faults
) -> None:
    cursor = connect(query_timeout=1).cursor()
    server.faults = fault
    received, error = fetch(cursor)
    server.faults = None

    assert received == (fault.stall_after_rows or 0)
    assert isinstance(error, mssql_python.OperationalError)
    assert "Timeout expired" in str(error)
    assert fetch(cursor) == (ROW_COUNT, None)


@pytest.mark.parametrize("rows", [0, 300, 330])
def test_error_comes_after_rows_of_whole_batches(server: StandInServer, connect: Connect, rows: int) -> None:
    cursor = connect().cursor()
    server.faults = Faults(error_after_rows=(rows, 1205, 13, 51, "chosen as the deadlock victim"))

    received, error = fetch(cursor)

    assert received == rows // 100 * 100
    assert isinstance(error, mssql_python.OperationalError)
    assert "chosen as the deadlock victim" in str(error)


def test_half_read_result_is_left_for_another(connect: Connect) -> None:
    cursor = connect().cursor()
    cursor.execute(QUERY)
    assert cursor.arrow_batch(10).num_rows == 10

    assert fetch(cursor) == (ROW_COUNT, None)


def test_money_and_decimals_are_exact_in_arrow(engine: ScriptedEngine, connect: Connect) -> None:
    values = [Decimal("0.0001"), Decimal("-922337203685477.5808"), Decimal(0)]
    engine.script("SELECT it", [make_result([("v", "money")], [(value,) for value in values])])
    cursor = connect().cursor()
    cursor.execute("SELECT it")

    assert cursor.arrow_batch(10).column(0).to_pylist() == values

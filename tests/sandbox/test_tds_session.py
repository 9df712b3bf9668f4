from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymssql
import pytest

from sandbox.tds import packets
from sandbox.tds.client_messages import BATCH_HEADERS
from sandbox.tds.engine import EngineError, Outcome, ResultSet, RowCount, ServerMessage, make_error
from sandbox.tds.faults import Faults, FaultsFile, FaultsFormatError
from sandbox.tds.packets import ClientGoneError
from sandbox.tds.scripted_engine import ScriptedEngine, make_result
from sandbox.tds.server import StandInServer
from tests.sandbox.tds_client import PASSWORD, BareClient, Connect, Done, last_done

LOGIN_FAILED = 18456
DEADLOCK_VICTIM = 1205
BEGIN, COMMIT, ROLLBACK = 5, 7, 8
RESET_CONNECTION = 0x08
ROW_COUNT = 1000
QUERY = "SELECT n, name FROM dbo.Numbers"


def make_numbers(count: int = ROW_COUNT) -> ResultSet:
    return make_result([("n", "int"), ("name", "nvarchar(20)")], ((n, f"number {n}") for n in range(count)))


class Endless:
    """Rows without end; `closed` tells when the server has let go of them."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def answer(self, _: str) -> list[Outcome]:
        return [make_result([("n", "int"), ("name", "nvarchar(100)")], self._rows())]

    def _rows(self) -> Iterator[tuple[int, str]]:
        try:
            while True:
                yield 1, "x" * 100
        finally:
            self.closed.set()


@pytest.fixture(autouse=True)
def numbers(engine: ScriptedEngine) -> None:
    engine.script(QUERY, lambda _: [make_numbers()])


@pytest.fixture
def endless(engine: ScriptedEngine) -> Endless:
    rows = Endless()
    engine.script("SELECT forever", rows.answer)
    return rows


def fetch_until_error(cursor: Any, batch: str = QUERY) -> tuple[int, pymssql.Error | None]:
    """Return how many rows came and the error that ended them."""
    received = 0
    try:
        cursor.execute(batch)
        # One by one: fetchmany throws away the rows that it gathered before an error.
        for _ in cursor:
            received += 1
    except pymssql.Error as error:
        return received, error
    return received, None


def read_rowcount(cursor: Any) -> int:
    cursor.execute("SELECT @@ROWCOUNT AS n")
    return int(cursor.fetchone()[0])


class TestLogin:
    def test_session_tells_who_came_and_what_was_asked(self, server: StandInServer, connect: Connect) -> None:
        cursor = connect(appname="open orders").cursor()
        cursor.execute(QUERY)
        cursor.fetchall()

        session = server.sessions[-1]
        assert (session.login, session.application, session.database) == ("sa", "open orders", "ERP")
        assert session.tds_version == packets.TDS_7_4
        assert session.batches[-1] == QUERY

    @pytest.mark.parametrize(("user", "password"), [("sa", "wrong"), ("sa", ""), ("nobody", PASSWORD)])
    def test_wrong_password_and_unknown_login_fail_alike(self, connect: Connect, user: str, password: str) -> None:
        with pytest.raises(pymssql.OperationalError) as failure:
            connect(user=user, password=password)

        assert failure.value.args[0][0] == LOGIN_FAILED

    def test_unknown_database_refuses_the_login_with_4060(self, server: StandInServer) -> None:
        with BareClient(server.port, database="Payroll") as client:
            assert 'Cannot open database "Payroll"'.encode("utf-16-le") in client.login_reply
            assert last_done(client.login_reply).failed

    def test_use_of_an_unknown_database_is_error_911(self, connect: Connect) -> None:
        with pytest.raises(pymssql.Error) as failure:
            connect().cursor().execute("USE [Payroll]")

        assert failure.value.args[0] == 911

    @pytest.mark.parametrize("version", ["7.3", "7.4"])
    def test_client_may_ask_for_tds_7_3_or_7_4(self, connect: Connect, version: str) -> None:
        cursor = connect(tds_version=version).cursor()
        cursor.execute(QUERY)

        assert len(cursor.fetchall()) == ROW_COUNT

    def test_older_tds_is_told_what_is_spoken(self, server: StandInServer) -> None:
        with BareClient(server.port, tds_version=0x71000001) as client:
            assert "speaks TDS 7.3 and 7.4".encode("utf-16-le") in client.login_reply

    def test_server_offers_no_encryption(self, server: StandInServer) -> None:
        with BareClient(server.port) as client:
            offset = int.from_bytes(client.prelogin_reply[6:8])
            assert client.prelogin_reply[5] == 1
            assert client.prelogin_reply[offset] == 2

    def test_version_says_that_it_is_not_microsofts(self, connect: Connect) -> None:
        cursor = connect().cursor()
        cursor.execute("SELECT @@VERSION AS v, SERVERPROPERTY('ProductVersion') AS [p], DB_NAME()")

        assert cursor.fetchone() == (
            "Stand-in SQL Server (open orders sandbox) - 16.0.1000.6, not Microsoft SQL Server",
            "16.0.1000.6",
            "ERP",
        )

    def test_bytes_that_are_not_tds_end_only_their_own_connection(
        self, server: StandInServer, connect: Connect
    ) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.shutdown(socket.SHUT_WR)
            assert stranger.recv(100) == b""
        cursor = connect().cursor()
        cursor.execute(QUERY)

        assert len(cursor.fetchall()) == ROW_COUNT


class TestReplies:
    def test_several_result_sets_come_one_after_the_other(self, engine: ScriptedEngine, connect: Connect) -> None:
        first = make_result([("a", "int")], [(1,), (2,)])
        second = make_result([("b", "varchar(3)"), ("b", "int"), ("", "int")], [("x", 3, 4)])
        engine.script("EXEC both", [first, RowCount(7), second])
        cursor = connect().cursor()

        cursor.execute("EXEC both")
        assert cursor.fetchall() == [(1,), (2,)]
        assert cursor.nextset()
        assert [column[0] for column in cursor.description] == ["b", "b", ""]
        assert cursor.fetchall() == [("x", 3, 4)]
        assert not cursor.nextset()

    def test_empty_result_has_its_columns(self, engine: ScriptedEngine, connect: Connect) -> None:
        engine.script("SELECT nothing", [make_result([("a", "int"), ("b", "date")], [])])
        cursor = connect().cursor()
        cursor.execute("SELECT nothing")

        assert [column[0] for column in cursor.description] == ["a", "b"]
        assert cursor.fetchall() == []

    def test_error_carries_number_severity_state_and_line(self, engine: ScriptedEngine, connect: Connect) -> None:
        engine.script("SELECT bad", [make_error(207, "Invalid column name 'ş東'.", severity=16, state=3, line=42)])
        with pytest.raises(pymssql.ProgrammingError) as failure:
            connect().cursor().execute("SELECT bad")

        assert failure.value.args[0] == 207
        assert "Invalid column name 'ş東'.".encode() in failure.value.args[1]
        cause = failure.value.__cause__ or failure.value.__context__
        assert (cause.severity, cause.state, cause.line) == (16, 3, 42)

    def test_error_after_rows_raised_by_the_rows_themselves(self, engine: ScriptedEngine, connect: Connect) -> None:
        def rows() -> Iterator[tuple[int]]:
            yield from ((n,) for n in range(200))
            raise make_error(8134, "Divide by zero error encountered.")

        engine.script("SELECT ratio", lambda _: [make_result([("n", "int")], rows())])

        received, error = fetch_until_error(connect().cursor(), "SELECT ratio")

        assert received == 200
        assert error is not None
        assert error.args[0] == 8134

    def test_value_that_does_not_fit_ends_the_rows_before_it(self, engine: ScriptedEngine, connect: Connect) -> None:
        engine.script("SELECT wide", [make_result([("n", "tinyint")], [(1,), (2,), (256,), (3,)])])

        received, error = fetch_until_error(connect().cursor(), "SELECT wide")

        assert received == 2
        assert error is not None
        assert error.args[0] == 8114

    def test_information_is_not_an_error(self, engine: ScriptedEngine, connect: Connect) -> None:
        notice = ServerMessage(5701, 0, 1, "just saying")
        engine.script("SELECT with notice", [notice, make_result([("a", "int")], [(1,)])])
        cursor = connect().cursor()
        cursor.execute("SELECT with notice")

        assert cursor.fetchall() == [(1,)]

    def test_unscripted_batch_is_an_error_that_shows_it(self, connect: Connect) -> None:
        with pytest.raises(pymssql.Error, match="no script for: SELECT 1 FROM dbo.Unknown"):
            connect().cursor().execute("SET NOCOUNT ON; SELECT 1 FROM dbo.Unknown")

    def test_engine_that_breaks_is_an_error_and_not_a_lost_connection(
        self, engine: ScriptedEngine, connect: Connect, capfd: pytest.CaptureFixture[str]
    ) -> None:
        engine.script("SELECT broken", lambda _: [ResultSet([], [(1,)]), 1 / 0])  # type: ignore[list-item]
        cursor = connect().cursor()
        with pytest.raises(pymssql.Error, match="ZeroDivisionError"):
            cursor.execute("SELECT broken")
        cursor.execute(QUERY)

        assert len(cursor.fetchall()) == ROW_COUNT
        assert "ZeroDivisionError" in capfd.readouterr().err

    def test_query_behind_set_statements_is_found(self, connect: Connect) -> None:
        cursor = connect().cursor()
        cursor.execute(f"SET NOCOUNT ON\nSET LOCK_TIMEOUT 5000; SET DEADLOCK_PRIORITY LOW\n{QUERY} -- all of them")

        assert len(cursor.fetchall()) == ROW_COUNT

    def test_rows_stream_while_the_engine_still_makes_them(self, connect: Connect, endless: Endless) -> None:
        cursor = connect().cursor()
        cursor.execute("SELECT forever")

        assert len(cursor.fetchmany(5000)) == 5000
        assert not endless.closed.is_set()

    @pytest.mark.usefixtures("endless")
    def test_sessions_do_not_wait_for_each_other(self, connect: Connect) -> None:
        connect().cursor().execute("SELECT forever")
        cursor = connect().cursor()
        cursor.execute(QUERY)

        assert len(cursor.fetchall()) == ROW_COUNT


class TestRowCount:
    def test_next_batch_answers_the_rows_of_the_last_statement(self, connect: Connect) -> None:
        cursor = connect().cursor()
        cursor.execute(f"SET NOCOUNT ON; {QUERY}")
        cursor.fetchall()

        assert read_rowcount(cursor) == ROW_COUNT
        assert read_rowcount(cursor) == 1

    @pytest.mark.parametrize("statement", ["SET NOCOUNT ON", "USE [ERP]", "BEGIN TRAN", "SET LOCK_TIMEOUT 1000"])
    def test_set_use_and_begin_reset_it(self, connect: Connect, statement: str) -> None:
        cursor = connect().cursor()
        cursor.execute(QUERY)
        cursor.fetchall()
        cursor.execute(statement)

        assert read_rowcount(cursor) == 0

    def test_transactions_nest(self, connect: Connect) -> None:
        cursor = connect().cursor()
        cursor.execute("BEGIN TRAN; BEGIN TRANSACTION; COMMIT; SELECT @@TRANCOUNT")
        assert cursor.fetchone() == (1,)
        cursor.execute("ROLLBACK; SELECT @@TRANCOUNT")

        assert cursor.fetchone() == (0,)

    def test_commit_without_begin_is_error_3902(self, connect: Connect) -> None:
        with pytest.raises(pymssql.Error) as failure:
            connect().cursor().execute("COMMIT TRAN")

        assert failure.value.args[0] == 3902


class TestAttention:
    def test_is_acknowledged_while_rows_stream(self, server: StandInServer, endless: Endless) -> None:
        with BareClient(server.port) as client:
            client.send_batch("SELECT forever")
            client.read_some()
            client.send_attention()

            assert last_done(client.read_reply()).acknowledges_attention
            assert endless.closed.wait(30)
            client.send_batch(QUERY)
            assert last_done(client.read_reply()) == Done(0x10, ROW_COUNT)

    def test_is_acknowledged_after_the_reply_has_ended(self, server: StandInServer) -> None:
        with BareClient(server.port) as client:
            client.send_batch(QUERY)
            assert last_done(client.read_reply()).rows == ROW_COUNT
            client.send_attention()

            assert last_done(client.read_reply()).acknowledges_attention

    def test_is_acknowledged_during_a_stall(self, server: StandInServer) -> None:
        server.faults = Faults(stall_before_rows=True)
        with BareClient(server.port) as client:
            client.send_batch(QUERY)
            client.read_some()
            client.send_attention()

            assert last_done(client.read_reply()).acknowledges_attention

    def test_cancel_of_a_half_read_result_frees_the_connection(self, connect: Connect, endless: Endless) -> None:
        connection = connect()
        cursor = connection.cursor()
        cursor.execute("SELECT forever")
        cursor.fetchmany(10)
        cursor.execute(QUERY)

        assert len(cursor.fetchall()) == ROW_COUNT
        assert endless.closed.wait(30)

    def test_client_that_leaves_ends_the_engines_work(self, server: StandInServer, endless: Endless) -> None:
        with BareClient(server.port) as client:
            client.send_batch("SELECT forever")
            client.read_some()

        assert endless.closed.wait(30)


class TestOtherRequests:
    def test_transaction_manager_requests_begin_and_end_transactions(self, server: StandInServer) -> None:
        with BareClient(server.port) as client:
            client.send_transaction_request(BEGIN)
            begun = client.read_reply()
            assert begun[0] == 0xE3
            assert begun[3] == 8
            assert last_done(begun).in_transaction
            client.send_transaction_request(COMMIT)
            assert client.read_reply()[3] == 9
            client.send_transaction_request(BEGIN)
            client.read_reply()
            client.send_transaction_request(ROLLBACK)
            ended = client.read_reply()
            assert ended[3] == 10
            assert not last_done(ended).in_transaction

    def test_reset_bit_forgets_the_session(self, server: StandInServer) -> None:
        with BareClient(server.port) as client:
            client.send_batch("BEGIN TRAN")
            assert last_done(client.read_reply()).in_transaction
            client.send_batch("SELECT @@TRANCOUNT", status=packets.END_OF_MESSAGE | RESET_CONNECTION)
            reply = client.read_reply()

            assert reply[:6] == b"\xe3\x03\x00\x12\x00\x00"
            assert not last_done(reply).in_transaction

    def test_remote_procedure_call_is_a_clear_error(self, server: StandInServer) -> None:
        with BareClient(server.port) as client:
            client.send(packets.RPC, BATCH_HEADERS + bytes(8))
            reply = client.read_reply()

            assert reply[0] == 0xAA
            assert "not remote procedure calls".encode("utf-16-le") in reply
            assert last_done(reply).failed


class TestFaults:
    def test_refused_logins_stop_when_the_fault_is_taken_back(self, server: StandInServer, connect: Connect) -> None:
        server.faults = Faults(refuse_logins=True)
        for _ in range(3):
            with pytest.raises(pymssql.OperationalError):
                connect()
        server.faults = Faults()

        connect()

    def test_first_logins_are_refused_then_let_in(self, server: StandInServer, connect: Connect) -> None:
        server.faults = Faults(refuse_first_logins=2)
        for _ in range(2):
            with pytest.raises(pymssql.OperationalError):
                connect()

        connect()

    @pytest.mark.parametrize("rows", [0, 1, 500, ROW_COUNT])
    def test_connection_drops_after_rows(self, server: StandInServer, connect: Connect, rows: int) -> None:
        cursor = connect().cursor()
        server.faults = Faults(drop_after_rows=rows)

        received, error = fetch_until_error(cursor)

        assert isinstance(error, pymssql.OperationalError)
        assert received <= rows

    def test_reset_connection_is_reset(self, server: StandInServer) -> None:
        server.faults = Faults(drop_after_rows=10, reset=True)
        with BareClient(server.port) as client:
            client.send_batch(QUERY)
            with pytest.raises(ClientGoneError, match="broke while reading"):
                client.read_reply()

    def test_finished_connection_is_finished(self, server: StandInServer) -> None:
        server.faults = Faults(drop_after_rows=10)
        with BareClient(server.port) as client:
            client.send_batch(QUERY)
            with pytest.raises(ClientGoneError, match="closed the connection"):
                client.read_reply()

    def test_connection_drops_after_each_byte_of_a_result(
        self, engine: ScriptedEngine, server: StandInServer, connect: Connect
    ) -> None:
        engine.script("SELECT two", [make_result([("n", "int"), ("s", "varchar(5)")], [(1, "a"), (2, "b")])])
        for size in range(1, 50):  # 31 bytes of column descriptions, two rows of 9
            server.faults = None
            cursor = connect().cursor()
            server.faults = Faults(drop_after_bytes=size)
            received, error = fetch_until_error(cursor, "SELECT two")
            assert isinstance(error, pymssql.OperationalError)
            assert received <= 2

    def test_bytes_before_the_drop_all_arrive(self, server: StandInServer) -> None:
        server.faults = Faults(drop_after_bytes=9_000)
        with BareClient(server.port) as client:
            client.send_batch(QUERY)

            assert len(client.read_payload_to_end()) == 9_000

    @pytest.mark.parametrize("fault", [Faults(stall_before_rows=True), Faults(stall_after_rows=300)])
    def test_stall_ends_in_the_clients_query_timeout(
        self, server: StandInServer, connect: Connect, fault: Faults
    ) -> None:
        cursor = connect(timeout=1).cursor()
        server.faults = fault

        received, error = fetch_until_error(cursor)

        assert received == (fault.stall_after_rows or 0)
        assert error is not None
        assert error.args[0] in {20003, 20047}

    @pytest.mark.parametrize("rows", [0, 300, ROW_COUNT])
    def test_error_comes_after_rows_and_the_session_lives(
        self, server: StandInServer, connect: Connect, rows: int
    ) -> None:
        cursor = connect().cursor()
        server.faults = Faults(error_after_rows=(rows, DEADLOCK_VICTIM, 13, 51, "chosen as the deadlock victim"))

        received, error = fetch_until_error(cursor)

        assert received == rows
        assert error is not None
        assert error.args[0] == DEADLOCK_VICTIM
        assert fetch_until_error(cursor, "SELECT @@VERSION") == (1, None)

    def test_error_in_the_middle_leaves_no_rowcount(self, server: StandInServer, connect: Connect) -> None:
        cursor = connect().cursor()
        server.faults = Faults(error_after_rows=(300, DEADLOCK_VICTIM, 13, 51, "chosen as the deadlock victim"))
        fetch_until_error(cursor)

        assert read_rowcount(cursor) == 0

    def test_zero_rows_are_confirmed_by_rowcount(self, server: StandInServer, connect: Connect) -> None:
        cursor = connect().cursor()
        server.faults = Faults(zero_rows=True)

        assert fetch_until_error(cursor) == (0, None)
        assert read_rowcount(cursor) == 0

    def test_omitted_rows_show_only_in_rowcount(self, server: StandInServer, connect: Connect) -> None:
        cursor = connect().cursor()
        server.faults = Faults(omit_after_rows=400)

        assert fetch_until_error(cursor) == (400, None)
        assert read_rowcount(cursor) == ROW_COUNT

    def test_housekeeping_is_spared(self, server: StandInServer, connect: Connect) -> None:
        server.faults = Faults(drop_after_rows=0, zero_rows=True)
        cursor = connect().cursor()
        cursor.execute("SET NOCOUNT ON; SELECT @@VERSION, SERVERPROPERTY('ProductVersion')")

        assert len(cursor.fetchall()) == 1

    def test_only_the_first_result_of_a_batch_is_struck(
        self, engine: ScriptedEngine, server: StandInServer, connect: Connect
    ) -> None:
        engine.script("EXEC both", lambda _: [make_numbers(5), make_numbers(3)])
        server.faults = Faults(zero_rows=True)
        cursor = connect().cursor()
        cursor.execute("EXEC both")

        assert cursor.fetchall() == []
        assert cursor.nextset()
        assert len(cursor.fetchall()) == 3


class TestFaultsFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "faults.json"

    def test_is_read_again_when_it_changes_and_means_nothing_when_gone(
        self, path: Path, server: StandInServer, connect: Connect
    ) -> None:
        server.faults = FaultsFile(path)
        cursor = connect().cursor()
        assert fetch_until_error(cursor) == (ROW_COUNT, None)
        path.write_text('{"zero_rows": true}')
        assert fetch_until_error(cursor) == (0, None)
        path.write_text('{"omit_after_rows": 7}')
        assert fetch_until_error(cursor) == (7, None)
        path.unlink()

        assert fetch_until_error(cursor) == (ROW_COUNT, None)

    def test_bad_file_is_told_on_stderr_and_the_faults_before_stay(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = FaultsFile(path)
        path.write_text('{"zero_rows": true}')
        assert source.current() == Faults(zero_rows=True)
        path.write_text('{"zero_rows": tru')

        assert source.current() == Faults(zero_rows=True)
        assert str(path) in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[]", "JSON object"),
            ("{", "JSON object"),
            ('{"refuse_login": true}', "refuse_login"),
            ('{"refuse_logins": 1}', "true or false"),
            ('{"drop_after_rows": -1}', "at least 0"),
            ('{"drop_after_rows": true}', "at least 0"),
            ('{"error_after_rows": [1, 2, 3]}', "rows, number, severity, state, message"),
        ],
    )
    def test_what_it_cannot_mean_is_a_format_error(self, text: str, complaint: str) -> None:
        with pytest.raises(FaultsFormatError, match=complaint):
            Faults.from_json(text)

    def test_every_fault_can_be_written_in_it(self) -> None:
        wanted = {
            "refuse_logins": True,
            "refuse_first_logins": 1,
            "no_encryption": True,
            "drop_after_rows": 2,
            "drop_after_bytes": 3,
            "reset": True,
            "stall_before_rows": True,
            "stall_after_rows": 4,
            "error_after_rows": [5, 1205, 13, 1, "deadlock"],
            "omit_after_rows": 6,
            "zero_rows": True,
        }
        faults = Faults.from_json(json.dumps(wanted))

        assert {**vars(faults), "error_after_rows": list(faults.error_after_rows or ())} == wanted

    def test_every_fault_is_in_the_readme(self) -> None:
        readme = Path(sys.modules[Faults.__module__].__file__ or "").with_name("README.md").read_text(encoding="utf-8")

        assert [name for name in vars(Faults()) if f"`{name}`" not in readme] == []


class TestServer:
    def test_stop_ends_stalled_sessions_and_frees_the_port(self, engine: ScriptedEngine) -> None:
        server = StandInServer(engine, users={"sa": PASSWORD}, faults=Faults(stall_before_rows=True))
        server.start()
        with BareClient(server.port) as client:
            client.send_batch(QUERY)
            client.read_some()
            server.stop()
            with pytest.raises(ClientGoneError):
                client.read_reply()

        with StandInServer(engine, users={"sa": PASSWORD}, port=server.port) as again:
            assert again.port == server.port

    def test_taken_port_is_an_os_error(self, engine: ScriptedEngine, server: StandInServer) -> None:
        with pytest.raises(OSError, match="Address already in use"):
            StandInServer(engine, users={}, port=server.port).start()

    def test_threads_end_with_their_connections(self, engine: ScriptedEngine) -> None:
        before = set(threading.enumerate())
        with StandInServer(engine, users={"sa": PASSWORD}) as server:
            for _ in range(5):
                with BareClient(server.port) as client:
                    client.send_batch(QUERY)
                    client.read_reply()

        assert set(threading.enumerate()) - before == set()


class TestProcess:
    """`python -m sandbox.tds`; PostgreSQL is not asked before a client logs in."""

    DSN = "postgresql://nobody@127.0.0.1:9/none"

    def run(self, *arguments: str, password: str = PASSWORD) -> subprocess.Popen[str]:
        environment = {**os.environ, "SANDBOX_TDS_PASSWORD": password}
        return subprocess.Popen(
            [sys.executable, "-m", "sandbox.tds", "--dsn", self.DSN, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).parents[2],
        )

    def test_says_when_it_listens_and_ends_on_sigterm(self) -> None:
        with self.run("--port", "0") as process:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 60)[0]
            line = process.stdout.readline()
            match = re.search(r"listens on 127\.0\.0\.1:(\d+), database ERP", line)
            assert match is not None
            with pytest.raises(pymssql.OperationalError, match="does not answer"):
                pymssql.connect("127.0.0.1", "sa", PASSWORD, "ERP", port=match[1])
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0

    def test_taken_port_is_a_message_and_not_a_traceback(self, server: StandInServer) -> None:
        with self.run("--port", str(server.port)) as process:
            _, error = process.communicate(timeout=60)

        assert process.returncode == 1
        assert f"cannot listen on 127.0.0.1:{server.port}: Address already in use" in error
        assert "Traceback" not in error

    def test_missing_password_is_a_usage_error_that_names_its_variable(self) -> None:
        with self.run(password="") as process:
            _, error = process.communicate(timeout=60)

        assert process.returncode == 2
        assert "SANDBOX_TDS_PASSWORD" in error


def test_engine_error_message_names_the_number() -> None:
    assert str(EngineError(ServerMessage(208, 16, 1, "Invalid object name 'x'."))) == "208: Invalid object name 'x'."

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from sandbox.ports import find_free_port
from sandbox.postgres import EmbeddedPostgres, PostgresError

FAST = {"fsync": "off"}


@contextmanager
def running(data_dir: Path, port: int = 0, version: int = 18) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(data_dir, port, version, settings=FAST) as server:
        yield server


def query(server: EmbeddedPostgres, statement: str, database: str = "postgres") -> object:
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


@pytest.mark.parametrize("version", [16, 18])
def test_both_versions_start_and_know_unicode_letters(tmp_path: Path, version: int) -> None:
    with running(tmp_path / "data", version=version) as server:
        assert str(query(server, "SHOW server_version")).startswith(str(version))
        assert query(server, "SELECT lower('ÇĞÖŞÜ') || ' 東京 🚚'") == "çğöşü 東京 🚚"


def test_unknown_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="PostgreSQL 9 is not embedded"):
        EmbeddedPostgres(tmp_path / "data", version=9)


def test_data_survives_a_restart_below_a_closed_directory_with_a_space(tmp_path: Path) -> None:
    closed = tmp_path / "a closed directory"
    closed.mkdir(mode=0o700)
    with running(closed / "my data") as server:
        server.create_database("orders")
        query(server, "CREATE TABLE kept AS SELECT 42 AS n", "orders")
    with running(closed / "my data") as server:
        assert query(server, "SELECT n FROM kept", "orders") == 42


def test_server_never_runs_as_root(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        assert psutil.Process(server.pid).uids().effective != 0


def test_server_listens_on_loopback_only(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        listening = [
            connection.laddr
            for connection in psutil.Process(server.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == [("127.0.0.1", server.port)]
        assert query(server, "SHOW unix_socket_directories") == ""


def test_password_is_private_and_needed(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        assert stat.S_IMODE(server.password_file.stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.dsn(), password="wrong")


def test_databases_are_created_once(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.create_database("with space")
        server.create_database("with space")
        assert query(server, "SELECT current_database()", "with space") == "with space"


def test_committed_data_survives_a_killed_server(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data")
    server.start()
    query(server, "CREATE TABLE kept AS SELECT 42 AS n")
    os.kill(server.pid, signal.SIGKILL)
    with running(tmp_path / "data") as again:
        assert query(again, "SELECT n FROM kept") == 42


def test_pid_file_that_names_a_stranger_does_not_hinder_the_start(tmp_path: Path) -> None:
    with running(tmp_path / "data"):
        pass
    (tmp_path / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path / 'data'}\n")
    with running(tmp_path / "data") as server:
        assert query(server, "SELECT 1") == 1


def test_server_left_by_a_crashed_start_is_stopped(tmp_path: Path) -> None:
    with running(tmp_path / "data") as left:
        left_pid = left.pid
        with running(tmp_path / "data") as server:
            assert server.pid != left_pid
            assert not psutil.pid_exists(left_pid) or psutil.Process(left_pid).status() == psutil.STATUS_ZOMBIE
            assert query(server, "SELECT 1") == 1


def test_interrupted_creation_is_begun_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / "data.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with running(tmp_path / "data") as server:
        assert query(server, "SELECT 1") == 1


def test_taken_port_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "one") as server, pytest.raises(PostgresError, match=f"Port {server.port} on 127.0.0.1"):
        EmbeddedPostgres(tmp_path / "two", server.port, settings=FAST).start()


def test_given_port_is_used(tmp_path: Path) -> None:
    port = find_free_port()
    with running(tmp_path / "data", port) as server:
        assert server.port == port


def test_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", settings={**FAST, "shared_buffers": "many"})
    with pytest.raises(PostgresError, match='invalid value for parameter "shared_buffers"'):
        server.start()


def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "data", version=16):
        pass
    with pytest.raises(PostgresError, match="created by PostgreSQL 16, expected 18"):
        EmbeddedPostgres(tmp_path / "data", version=18).start()


def test_directory_without_data_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter.txt").write_text("not a database")
    with pytest.raises(PostgresError, match="holds no PostgreSQL data"):
        EmbeddedPostgres(tmp_path / "data").start()
    assert (tmp_path / "data" / "letter.txt").exists()


def test_stopped_server_has_no_address(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", settings=FAST)
    server.stop()
    with pytest.raises(PostgresError, match="call start"):
        server.dsn()

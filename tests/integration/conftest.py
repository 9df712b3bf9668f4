from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine

from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from open_orders.migrations.__main__ import migrate
from sandbox.ports import find_free_port
from sandbox.postgres import EmbeddedPostgres
from sandbox.tds.scripted_engine import ScriptedEngine
from sandbox.tds.server import StandInServer
from tests.integration.erp import Erp, Sync

TEMPLATE = "orders_template"
PASSWORD = "a password of the ERP"
_numbers = count(1)


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> str:
    """Return the name of a database at the newest revision, from which the tests' databases are copied."""
    postgres.create_database(TEMPLATE)
    engine = create_engine(postgres.dsn(TEMPLATE).replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def empty_dsn(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Yield the address of a database without tables, dropped afterwards."""
    yield from _database(postgres, "template1")


@pytest.fixture
def orders_dsn(postgres: EmbeddedPostgres, migrated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a migrated orders database of the test's own, which the connection orders_db points at."""
    for dsn in _database(postgres, migrated):
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", dsn.replace("postgresql://", "postgres://"))
        yield dsn


def _database(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        yield postgres.dsn(name)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def orders(orders_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield an autocommit connection of the test's own, to look at what the code did."""
    with psycopg.connect(orders_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def execution() -> Callable[..., Execution]:
    """Return a maker of executions: a first attempt of `connect` in a manual run, unless told otherwise."""
    runs = count(1)

    def make(**changes: Any) -> Execution:
        values: dict[str, Any] = {
            "dag_id": "sync_open_orders",
            "run_id": f"manual__{next(runs)}",
            "trigger": "manual",
            "triggered_by": "admin",
            "clear_number": 0,
            "step": "connect",
            "attempt": 1,
            "attempts": 3,
            "is_active": lambda _dag_id, _run_id: True,
        }
        return Execution(**(values | changes))

    return make


@pytest.fixture
def opened(orders_dsn: str, execution: Callable[..., Execution]) -> JobLogHook:
    """Return a hook whose job log is processing."""
    hook = JobLogHook()
    hook.open(execution())
    return hook


@pytest.fixture
def erp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Erp]:
    """Yield a stand-in SQL Server with scripted rows, which the connection erp_mssql points at."""
    engine = ScriptedEngine()
    with StandInServer(engine, users={"reader": PASSWORD}) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", f"mssql://reader:{quote(PASSWORD)}@127.0.0.1:{server.port}/ERP")
        yield Erp(server, engine, tmp_path / "open_orders.sql")


@pytest.fixture
def sync(orders_dsn: str, erp: Erp, execution: Callable[..., Execution]) -> Sync:
    """Return a runner of the sync's steps, from the scripted ERP into the test's orders database."""
    return Sync(erp, execution)


@pytest.fixture
def unused_port() -> int:
    """Return a port on which nobody listens."""
    return find_free_port()

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pymssql
import pytest

from sandbox.postgres import EmbeddedPostgres
from sandbox.tds.postgres_engine import PostgresEngine
from sandbox.tds.scripted_engine import ScriptedEngine
from sandbox.tds.server import StandInServer
from tests.sandbox.tds_client import PASSWORD, Connect


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def server(engine: ScriptedEngine) -> Iterator[StandInServer]:
    with StandInServer(engine, users={"sa": PASSWORD}) as running:
        yield running


@pytest.fixture
def connect(server: StandInServer) -> Iterator[Connect]:
    with ExitStack() as opened:
        yield _make_connect(server, opened)


@pytest.fixture(scope="session")
def erp_dsn(postgres: EmbeddedPostgres) -> str:
    postgres.create_database("stand_in")
    return postgres.dsn("stand_in")


@pytest.fixture(scope="session")
def erp_server(erp_dsn: str) -> Iterator[StandInServer]:
    with StandInServer(PostgresEngine(erp_dsn), users={"sa": PASSWORD}) as running:
        yield running


@pytest.fixture
def connect_erp(erp_server: StandInServer) -> Iterator[Connect]:
    with ExitStack() as opened:
        yield _make_connect(erp_server, opened)


@pytest.fixture
def erp(connect_erp: Connect) -> Iterator[Any]:
    """Yield a cursor of a pymssql connection in autocommit to the PostgreSQL-backed stand-in."""
    with connect_erp().cursor() as cursor:
        yield cursor


def _make_connect(server: StandInServer, opened: ExitStack) -> Connect:
    def connect(**changes: Any) -> Any:
        options = {
            "server": "127.0.0.1",
            "port": server.port,
            "user": "sa",
            "password": PASSWORD,
            "database": "ERP",
            "timeout": 60,
            "login_timeout": 10,
            "autocommit": True,
        }
        return opened.enter_context(closing(pymssql.connect(**{**options, **changes})))

    return connect

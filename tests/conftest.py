from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine
from xdist.scheduler import LoadFileScheduling

# Airflow reads these when it is first imported.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parents[1] / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(Path(__file__).parents[1] / "plugins")
for name in [name for name in os.environ if name.startswith(("OPEN_ORDERS_", "AIRFLOW_CONN_"))]:
    del os.environ[name]

from open_orders.migrations.__main__ import migrate  # noqa: E402
from sandbox.postgres import EmbeddedPostgres  # noqa: E402
from tests.first_run import FirstRun, make_first_run  # noqa: E402

TEMPLATE = "orders_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Yield a started PostgreSQL with durability off; its data is gone afterwards.

    Version 18, unless a test is parametrized with another: `parametrize("postgres", [16, 18], indirect=True)`.
    """
    data_dir = tmp_path_factory.mktemp("postgres with space") / "data"
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with EmbeddedPostgres(data_dir, version=getattr(request, "param", 18), settings=settings) as server:
        yield server


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


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Return the quickstart's first run of this session; nobody changes what it left, but copies it."""
    return make_first_run(tmp_path_factory.mktemp("a sandbox with spaces") / "state")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the tests marked `full` too, which take more than an hour")
    parser.addoption("--write-matrix", metavar="FILE", help="write the fault matrix's table into this file")
    parser.addoption("--resume-matrix", action="store_true", help="run only the cells that no earlier go saw hold")
    parser.addoption("--soak-runs", type=int, default=25, help="how many runs the soak makes")
    parser.addoption("--soak-seed", type=int, default=1207, help="decides which faults strike, and when")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--all"):
        left_out = [item for item in items if item.get_closest_marker("full")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("full")]


class ProcessesInOneRow(LoadFileScheduling):
    """Files run two at a time, but those that start all of Airflow's processes one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return (
            "processes"
            if nodeid.startswith(("tests/e2e/", "tests/ui/", "tests/faults/"))
            else super()._split_scope(nodeid)
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ProcessesInOneRow:
    return ProcessesInOneRow(config, log)

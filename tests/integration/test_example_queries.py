"""The source queries of `examples/queries`, each run from tables with the types of that ERP to the published rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pymssql
import pytest
import sqlglot
from sqlglot import exp

from open_orders.contract import OPEN_ORDERS
from open_orders.execution import Execution
from open_orders.settings import Settings
from sandbox.postgres import EmbeddedPostgres
from sandbox.tds.postgres_engine import PostgresEngine
from sandbox.tds.server import StandInServer
from tests.integration.erp import STEPS, run_step
from tests.integration.outcome import Database, counts, rejected, warnings

QUERIES = Path(__file__).parents[2] / "examples" / "queries"
DATABASES = Path(__file__).parent / "example_databases"
NAMES = sorted(file.stem for file in QUERIES.glob("*.sql"))
PASSWORD = "a_password"

Row = tuple[Any, ...]
EXPECTED: dict[str, list[Row]] = {
    "adventure_works": [
        (
            "SO75084", 121253, "AW00011078", "Gina Martín", "ST-1401", "All-Purpose Bike Stand",
            date(2014, 6, 30), date(2014, 7, 12), Decimal(1), Decimal(0), Decimal(1), Decimal(159), Decimal(159),
            "USD", None, "In process", datetime(2014, 7, 7),
        ),
        (
            "SO75085", 121254, "AW00029825", "Better Bike Shop", "CA-1098", "AWC Logo Cap",
            date(2014, 6, 30), date(2014, 7, 12), Decimal(12), Decimal(0), Decimal(12), Decimal("8.99"),
            Decimal("105.7224"), "USD", None, "Backordered", datetime(2014, 7, 2, 8, 30),
        ),
        (
            "SO75085", 121255, "AW00029825", "Better Bike Shop", "ST-1401", "All-Purpose Bike Stand",
            date(2014, 6, 30), date(2014, 7, 12), Decimal(3), Decimal(0), Decimal(3), Decimal("1.3333"),
            Decimal("3.3999"), "USD", None, "Backordered", datetime(2014, 7, 1),
        ),
    ],
    "wide_world_importers": [
        (
            "73550", 231300, "105", "Wingtip Toys (Bow Mar, CO)", "98",
            '"The Gu" red shirt XML tag t-shirt (Black) 4XL',
            date(2016, 5, 30), date(2016, 5, 31), Decimal(84), Decimal(0), Decimal(84), Decimal(18), Decimal(1512),
            "USD", None, "Open", datetime(2016, 5, 30, 12, 0, 0, 123456),
        ),
        (
            "73550", 231301, "105", "Wingtip Toys (Bow Mar, CO)", "165", "10 mm Anti static bubble wrap (Blue) 50m",
            date(2016, 5, 30), date(2016, 5, 31), Decimal(30), Decimal(10), Decimal(20), None, None,
            "USD", None, "Partially picked", datetime(2016, 5, 30, 12, 30),
        ),
        (
            "73551", 231303, "41", "Tailspin Toys (Jemison, AL)", "165", "10 mm Anti static bubble wrap (Blue) 50m",
            date(2016, 5, 30), date(2016, 5, 31), Decimal(5), Decimal(0), Decimal(5), Decimal(48), Decimal(240),
            "USD", None, "Open, ships complete", datetime(2016, 5, 30, 12),
        ),
    ],
    "dynamics_ax": [
        (
            "000762", 1, "US-001", "Contoso Retail San Diego", "D0001", "MidRangeSpeaker",
            date(2026, 11, 2), date(2026, 11, 20), Decimal(10), Decimal("2.5"), Decimal("7.5"), Decimal("350.1235"),
            Decimal("2363.3325"), "USD", "11", "Partially delivered", datetime(2026, 11, 3, 9, 15),
        ),
        (
            "000762", 3, "US-001", "Contoso Retail San Diego", None, "Freight",
            date(2026, 11, 2), None, Decimal(1), Decimal(0), Decimal(1), Decimal(20),
            Decimal(20), "USD", None, "Open order", datetime(2026, 11, 3, 8),
        ),
    ],
}  # fmt: skip


@pytest.fixture
def address(postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Yield host and port of a stand-in with an empty database, which the connection erp_mssql points at."""
    name = f"example_{tmp_path.name}"
    postgres.create_database(name)
    with psycopg.connect(postgres.dsn(name), autocommit=True) as database:
        for schema in ("sales", "person", "production"):
            database.execute(f"CREATE SCHEMA {schema}")
    engine = PostgresEngine(postgres.dsn(name))
    with StandInServer(engine, users={"reader": PASSWORD}, database="ERP", replies_at_once=True) as server:
        address = f"mssql://reader:{PASSWORD}@127.0.0.1:{server.port}/ERP?trust_server_certificate=true"
        monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", address)
        yield "127.0.0.1", server.port


@pytest.mark.parametrize("name", NAMES)
def test_example_publishes_the_open_lines_of_that_erp(
    name: str, address: tuple[str, int], orders: Database, execution: Callable[..., Execution]
) -> None:
    host, port = address
    with closing(pymssql.connect(host, "reader", PASSWORD, "ERP", port=port, autocommit=True)) as erp:
        erp.cursor().execute((DATABASES / f"{name}.sql").read_text())
    settings = Settings(source_sql=QUERIES / f"{name}.sql")
    for step in STEPS:
        run_step(execution(run_id=name, step=step), settings, {})
    columns = ", ".join(OPEN_ORDERS.names)
    assert rejected(orders) == []
    assert orders.execute(f"SELECT {columns} FROM open_orders ORDER BY 1, 2").fetchall() == EXPECTED[name]
    assert warnings(orders, name) == []
    assert counts(orders, name)["fetched"] == len(EXPECTED[name])


@pytest.mark.parametrize("name", NAMES)
def test_example_is_t_sql_that_ends_in_the_contracts_columns(name: str) -> None:
    *_, last = [part for part in sqlglot.parse((QUERIES / f"{name}.sql").read_text(), read="tsql") if part is not None]
    assert isinstance(last, exp.Select)
    assert tuple(column.alias_or_name for column in last.selects) == OPEN_ORDERS.names


def test_every_example_has_an_expectation_and_a_place_in_the_documentation() -> None:
    assert sorted(EXPECTED) == NAMES
    page = (QUERIES.parents[1] / "docs" / "fit.md").read_text()
    for name in NAMES:
        assert f"(../examples/queries/{name}.sql)" in page

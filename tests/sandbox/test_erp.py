from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pymssql
import pytest
from psycopg import sql

from sandbox import source
from sandbox.connections import Connection
from sandbox.erp.life import Changes, advance, count_open_lines, seed
from sandbox.erp.sample import make_orders
from sandbox.erp.schema import OPEN_LINE
from sandbox.erp.session import connect
from sandbox.postgres import EmbeddedPostgres
from sandbox.tds.faults import Faults
from sandbox.tds.postgres_engine import PostgresEngine
from sandbox.tds.server import StandInServer

NOW = datetime(2026, 3, 2, 14, 30)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def server(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[StandInServer]:
    """Yield a stand-in with an empty ERP database of the test's own."""
    name = f"erp_{request.node.name}"[:60]
    postgres.create_database(name)
    with StandInServer(PostgresEngine(postgres.dsn(name)), users={"sa": "pw"}, database="ERP") as running:
        yield running
    with psycopg.connect(postgres.dsn(), autocommit=True) as administration:
        administration.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def address(server: StandInServer) -> Connection:
    """Return where that database is."""
    return Connection("mssql", "127.0.0.1", server.port, "sa", "pw", "ERP")


@pytest.fixture
def erp(address: Connection) -> Iterator[pymssql.Connection]:
    """Yield a session with an empty ERP database of the test's own."""
    with closing(connect(address)) as connection:
        yield connection


def query(connection: pymssql.Connection, statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_database_without_tables_has_no_count(erp: pymssql.Connection) -> None:
    assert count_open_lines(erp) is None


def test_seed_makes_as_many_open_lines_as_asked_for(erp: pymssql.Connection) -> None:
    seed(erp, 2_345, now=NOW)
    assert count_open_lines(erp) == 2_345
    [(closed,)] = query(erp, f"SELECT COUNT(*) FROM dbo.SalesOrderLines WHERE NOT ({OPEN_LINE})")
    assert closed > 0


def test_two_open_lines_break_the_contract(erp: pymssql.Connection) -> None:
    seed(erp, 100, now=NOW)
    blank = query(
        erp,
        "SELECT o.SalesOrderId FROM dbo.SalesOrders AS o JOIN dbo.SalesOrderLines AS l"
        f" ON l.SalesOrderId = o.SalesOrderId WHERE RTRIM(o.OrderNumber) = '' AND {OPEN_LINE} ORDER BY 1",
    )
    assert blank == [(1,), (2,)]


def test_names_of_all_scripts_arrive(erp: pymssql.Connection) -> None:
    seed(erp, 50, now=NOW)
    names = {name for (name,) in query(erp, "SELECT CustomerName FROM dbo.Customers")}
    assert {"Çağlayan Gıda Sanayi ve Ticaret A.Ş.", "東京精密部品株式会社", "Großhandel Weiß KG"} <= names
    assert "O'Connor Marine Supplies Ltd" in names
    descriptions = [text for (text,) in query(erp, "SELECT Description FROM dbo.Items")]
    assert None in descriptions
    assert any("🚚" in text for text in descriptions if text)


def test_interrupted_seed_leaves_nothing(erp: pymssql.Connection) -> None:
    def interrupt(written: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(erp, 100, now=NOW, report=interrupt)
    erp.rollback()
    assert count_open_lines(erp) is None


def test_sample_is_the_same_for_the_same_seed() -> None:
    first, second, other = (list(make_orders(random.Random(seed), 500, NOW)) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_sample_has_orders_of_one_to_eight_lines_in_several_currencies_some_overdue() -> None:
    orders = list(make_orders(random.Random(1), 2_000, NOW))
    assert {len(order.lines) for order in orders} == set(range(1, 9))
    assert {order.currency for order in orders} == {"TRY", "EUR", "USD"}
    lines = [line for order in orders for line in order.lines]
    assert any(line.due_date is None for line in lines)
    overdue = sum(1 for line in lines if line.due_date is not None and line.due_date < NOW.date())
    assert 0.2 < overdue / len(lines) < 0.8
    assert {line.status for line in lines} == {
        "Open",
        "Released",
        "Backordered",
        "Partially shipped",
        "Closed",
        "Cancelled",
    }


def test_a_tick_lets_lines_arrive_ship_change_and_close(erp: pymssql.Connection) -> None:
    seed(erp, 1_000, now=NOW)
    changes = advance(erp, now=LATER, rng=random.Random(7))
    assert min(vars(changes).values()) > 0
    assert sum(vars(changes).values()) < 60
    assert count_open_lines(erp) == 1_000 + changes.arrived - changes.closed
    [(touched,)] = query(erp, f"SELECT COUNT(*) FROM dbo.SalesOrderLines WHERE UpdatedAt = '{LATER.isoformat()}'")
    assert touched > changes.closed


def test_ticks_add_up(erp: pymssql.Connection) -> None:
    seed(erp, 300, now=NOW)
    changes = advance(erp, 5, now=LATER, rng=random.Random(7))
    assert changes.arrived >= 5
    assert count_open_lines(erp) == 300 + changes.arrived - changes.closed


def test_ticks_of_two_sessions_do_not_disturb_each_other(address: Connection, erp: pymssql.Connection) -> None:
    seed(erp, 300, now=NOW)

    def live(seed: int) -> Changes:
        with closing(connect(address)) as connection:
            return advance(connection, 20, now=LATER, rng=random.Random(seed))

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(live, (1, 2))
    [(orders,)] = query(erp, f"SELECT COUNT(*) FROM dbo.SalesOrderLines WHERE {OPEN_LINE}")
    # One may close what the other one closes, too.
    assert orders >= 300 + first.arrived + second.arrived - first.closed - second.closed


def test_lines_that_break_the_contract_stay_as_they_are(erp: pymssql.Connection) -> None:
    seed(erp, 10, now=NOW)
    advance(erp, 20, now=LATER, rng=random.Random(7))
    assert query(erp, f"SELECT COUNT(*) FROM dbo.SalesOrderLines WHERE SalesOrderId IN (1, 2) AND {OPEN_LINE}") == [
        (2,)
    ]


@pytest.mark.parametrize("faults", [Faults(zero_rows=True), Faults(omit_after_rows=0), Faults(drop_after_rows=0)])
def test_a_tick_that_meets_a_source_on_strike_is_an_error_that_life_goes_on_after(
    server: StandInServer, erp: pymssql.Connection, faults: Faults
) -> None:
    seed(erp, 10, now=NOW)
    server.faults = faults
    with pytest.raises(pymssql.Error):
        advance(erp, now=LATER, rng=random.Random(7))


def test_changes_say_what_happened() -> None:
    assert str(Changes(1, 2, 3, 4) + Changes(1, 1, 1, 1)) == (
        "2 lines arrived, 3 shipped partly, 4 changed price or due date, 5 closed"
    )


def test_sample_lives_by_its_servers_clock_whatever_the_zone_is_here(
    address: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with monkeypatch.context() as environment:
            environment.setenv("TZ", "Pacific/Kiritimati")
            time.tzset()
            source.ensure_sample(address, 50)
            source.let_time_pass(address)
    finally:
        time.tzset()
    with closing(connect(address)) as erp:
        assert count_open_lines(erp)
        assert query(erp, "SELECT COUNT(*) FROM dbo.SalesOrderLines WHERE UpdatedAt > GETDATE()") == [(0,)]

"""bin/check says, line by line, what fits and what does not: each failing line with real parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow import settings as airflow_settings
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.errors import ParseImportError
from airflow.utils.session import create_session

from open_orders.check import airflow_itself, alerts, orders_database, source
from open_orders.check.__main__ import main
from open_orders.check.findings import Check, Finding, Outcome, run
from open_orders.contract import OPEN_ORDERS
from open_orders.errors import JobError
from open_orders.settings import load_settings
from sandbox.tds.scripted_engine import make_result
from tests.integration.database_roles import Site, make_site
from tests.integration.erp import QUERY, Erp, order, orders_of
from tests.integration.receiver import TOKEN, Receiver


@pytest.fixture
def site(orders_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a deployment whose two connections are those of its roles."""
    made = make_site(orders_dsn)
    made.provision()
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", made.uri(made.pipeline))
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB_WEB", made.uri(made.web))
    return made


@pytest.fixture
def query(site: Site, erp: Erp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Erp]:
    """Yield an ERP whose query is the one that the settings name."""
    monkeypatch.setenv("OPEN_ORDERS_SOURCE_SQL", str(erp.query_file))
    load_settings.cache_clear()
    yield erp
    load_settings.cache_clear()


@pytest.fixture
def airflows_tables() -> Iterator[None]:
    """Have, of Airflow's own database, the tables of DAGs and of import errors."""
    tables = [
        Base.metadata.tables[name] for name in ("dag", "import_error", "dag_tag", "dag_bundle", "dag_owner_attributes")
    ]
    Base.metadata.create_all(airflow_settings.get_engine(), tables=tables)
    yield
    Base.metadata.drop_all(airflow_settings.get_engine(), tables=tables)


def found(check: Check) -> list[Finding]:
    return list(run("what", check))


def lines(check: Check) -> str:
    return "\n".join(line for finding in found(check) for line in finding.lines())


def failures(check: Check) -> list[str]:
    return [finding.text for finding in found(check) if finding.outcome is Outcome.FAILED]


def query_lines() -> str:
    return lines(lambda: source.check_query("erp_mssql", OPEN_ORDERS))


def test_database_that_fits_is_said_to_with_its_version_and_roles(site: Site) -> None:
    said = lines(orders_database.check_pipeline)
    assert "✓ Connection orders_db: PostgreSQL 18." in said
    assert "encoding UTF8" in said
    assert "✓ Migrations are current: revision " in said
    assert "✓ The tables of open_orders are those of its contract" in said
    assert "✓ The role of orders_db has the rights that it needs" in said
    assert "✓ The role of orders_db_web has the rights that it needs" in lines(orders_database.check_web)
    assert not failures(orders_database.check_pipeline) + failures(orders_database.check_web)


def test_missing_connections_are_named_with_where_to_add_them(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_DB_WEB")
    assert "– No Airflow connection orders_db_web: the pages use orders_db" in lines(orders_database.check_web)
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_DB")
    said = lines(orders_database.check_pipeline)
    assert "orders_db" in said
    assert "→ Add the connection in Airflow (Admin, Connections), or set its AIRFLOW_CONN_… variable" in said
    assert failures(lambda: source.check_server("no_such_connection"))


def test_database_that_is_not_there_or_refuses_the_password_is_told_without_the_password(
    site: Site, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(site.pipeline, password="an0ther/secret@")
    for uri in (f"postgres://someone:an0ther%2Fsecret%40@127.0.0.1:{unused_port}/orders", site.uri(wrong)):
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", uri)
        said = lines(orders_database.check_pipeline)
        assert "✗ what: connection" in said
        assert "→ See the database's own log" in said
        assert "an0ther" not in said


def test_database_behind_or_without_tables_says_what_to_run(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = make_site(empty_dsn)
    empty.provision()
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", empty.uri(empty.pipeline))
    said = lines(orders_database.check_pipeline)
    assert "no tables yet" in said
    assert "Run: bin/migrate" in said
    empty.migrate(empty.pipeline, to="0005")
    said = lines(orders_database.check_pipeline)
    assert "is behind the code: revision 0005" in said


def test_rights_that_lack_or_are_too_many_are_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.execute_for(site.pipeline, "REVOKE UPDATE ON job_logs FROM {}")
    site.execute_for(site.web, "REVOKE SELECT ON job_log_details FROM {}")
    site.execute_for(site.web, "GRANT DELETE ON open_orders TO {}")
    assert "lacks UPDATE on job_logs" in lines(orders_database.check_pipeline)
    said = lines(orders_database.check_web)
    assert "lacks SELECT on job_log_details" in said
    assert "has DELETE on open_orders" in said
    assert "→ Run bin/roles as the database's administrator" in said
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB_WEB", site.admin_dsn.replace("postgresql://", "postgres://"))
    assert failures(orders_database.check_web) == ["The pages' role is a superuser"]
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", site.admin_dsn.replace("postgresql://", "postgres://"))
    assert "– The sync's role is a superuser" in lines(orders_database.check_pipeline)


def test_first_five_rows_are_shown_by_the_contracts_columns_and_nothing_is_written(query: Erp, orders: Any) -> None:
    query.rows = orders_of(7)
    said = query_lines()
    assert "✓ The query open_orders.sql has the 17 columns of open_orders" in said
    assert "✓ The first 5 rows of open_orders would be imported as they are" in said
    header, number, line = said.splitlines()[2:5]
    assert header.split() == [
        "column",
        "type",
        "came",
        "as",
        "row",
        "1",
        "row",
        "2",
        "row",
        "3",
        "row",
        "4",
        "row",
        "5",
    ]
    assert number.split() == ["order_number", "text", "text", "SO000", "SO001", "SO002", "SO003", "SO004"]
    assert line.split() == ["line_number", "integer", "integer", "1", "1", "1", "1", "1"]
    for table in ("job_logs", "open_orders", "open_orders_landing", "rejected_orders", "source_columns"):
        assert orders.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_query_is_not_run_to_its_end(query: Erp) -> None:
    delivered = []

    def endless(_batch: str) -> Iterator[Any]:
        def rows() -> Iterator[tuple[Any, ...]]:
            for number in range(10_000_000):
                delivered.append(number)
                yield tuple(order(f"SO{number}").values())

        yield make_result(list(query.types.items()), rows())

    query.engine.script(QUERY, endless)
    assert "✓ The first 5 rows" in query_lines()
    assert len(delivered) < 1_000_000


def test_rows_that_would_be_rejected_are_told_with_the_reason(query: Erp) -> None:
    query.rows = [order("SO1"), order("  "), order("SO3")]
    said = query_lines()
    assert "– 1 of the first 3 rows of open_orders would be rejected, the others imported" in said
    assert "row 2: order_number '  ' is empty" in said
    query.rows = [order(None), order("SO2", customer_code="A\x00B")]
    said = query_lines()
    assert "✗ The first 2 rows of open_orders would be rejected" in said
    assert "row 2: customer_code 'A␀B' contains a NUL character" in said
    assert "→ Change the query" in said


def test_query_without_rows_is_told_with_what_a_sync_would_do(query: Erp) -> None:
    assert "– The query open_orders.sql returns no rows" in query_lines()
    assert "OPEN_ORDERS_ALLOW_EMPTY" in query_lines()


def test_query_that_lacks_a_column_or_cannot_be_read_is_told(query: Erp) -> None:
    query.types["mine"] = "int"
    query.rows = [order("SO1", mine=1)]
    assert "– Columns that the contract doesn't have are ignored: mine" in query_lines()
    del query.types["unit_price"]
    assert "✗ what: The source query lacks unit_price. Expected columns: " in query_lines()
    query.query_file.unlink()
    assert "OPEN_ORDERS_SOURCE_SQL names it" in query_lines()


def test_source_that_refuses_the_login_is_told_without_the_password(
    query: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "✓ Connection erp_mssql: Stand-in SQL Server" in lines(lambda: source.check_server("erp_mssql"))
    address = f"127.0.0.1:{query.server.port}/ERP"
    monkeypatch.setenv(
        "AIRFLOW_CONN_ERP_MSSQL", f"mssql://reader:not-the-passw0rd@{address}?encrypt=yes&encryption=off"
    )
    said = lines(lambda: source.check_server("erp_mssql"))
    assert "– Extras of the connection erp_mssql without effect: encrypt" in said
    assert f"✗ what: SQL Server {address} refused the login 'reader'" in said
    assert "not-the-passw0rd" not in said


def test_airflow_without_its_tables_is_told() -> None:
    assert "→ Run: airflow db migrate" in lines(airflow_itself.check_metadata)
    assert "✗ what: (sqlite3.OperationalError) no such table" in lines(airflow_itself.check_dags)


def test_dags_that_are_missing_paused_or_broken_are_told(airflows_tables: None) -> None:
    assert failures(airflow_itself.check_dags) == ["Airflow does not know the DAG sync_open_orders"]
    assert "– Airflow does not know the DAG maintain_job_logs" in lines(airflow_itself.check_dags)
    with create_session() as session:
        session.add(DagBundleModel(name="dags-folder"))
        session.flush()
        session.add(DagModel(dag_id="sync_open_orders", is_stale=False, is_paused=True, bundle_name="dags-folder"))
        session.add(DagModel(dag_id="maintain_job_logs", is_stale=False, is_paused=False, bundle_name="dags-folder"))
        session.add(
            ParseImportError(filename="mine.py", stacktrace="Traceback\n  x\nNameError: name 'x' is not defined\n")
        )
    said = lines(airflow_itself.check_dags)
    assert "✗ Airflow cannot import mine.py: NameError: name 'x' is not defined" in said
    assert "✗ The DAG sync_open_orders is paused: no run starts by itself" in said
    assert "→ Run: airflow dags unpause sync_open_orders" in said
    assert "✓ The DAG maintain_job_logs is there and not paused" in said


def test_receivers_of_alerts_are_named_and_sent_a_message_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*, try_them: bool, **config: Any) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_ALERTS", json.dumps({"conn_type": "apprise", "extra": json.dumps(config)}))
        return lines(lambda: alerts.check_receivers(try_them=try_them))

    monkeypatch.delenv("AIRFLOW_CONN_ALERTS", raising=False)
    assert "– No Airflow connection alerts: nobody is told" in lines(lambda: alerts.check_receivers(try_them=True))
    with Receiver() as works, Receiver(status=500) as refuses:
        both = [{"path": f"json://127.0.0.1:{receiver.port}/{TOKEN}"} for receiver in (works, refuses)]
        said = check(try_them=False, config=both)
        assert "– Alerts go to: JSON, JSON" in said
        assert works.titles == []
        said += check(try_them=True, config=both)
        assert works.titles == ["Test of the alerts"]
        assert "✗ The test message did not reach JSON" in said
        assert "✓ 1 of 2 receivers took a test message" in said
        said += check(try_them=True, config=both[1:])
        assert "✗ The test message reached nobody: JSON" in said
        assert "can't be used (KeyError)" in check(try_them=True, configuration=both)
        said += check(try_them=False, config=[both[0], {"path": "nonsense://x"}])
        assert "names 2 receivers, of which Apprise takes 1" in said
    assert TOKEN not in said


def test_command_ends_with_1_when_something_is_wrong_and_says_how_much(
    query: Erp, capsys: pytest.CaptureFixture[str], airflows_tables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    query.rows = orders_of(2)
    monkeypatch.setattr(airflow_itself, "check_permissions", lambda: iter([]))
    assert main([]) == 1
    printed = capsys.readouterr().out
    assert [heading for heading in printed.splitlines() if heading in ("Orders database", "Source", "Airflow")] == [
        "Orders database",
        "Source",
        "Airflow",
    ]
    assert printed.endswith("\n2 to put right\n")


def test_error_of_ours_is_a_line_and_anything_else_is_not_hidden() -> None:
    def ours() -> Iterator[Finding]:
        raise JobError("Expected this, found that. Do so")
        yield

    def bug() -> Iterator[Finding]:
        raise ZeroDivisionError
        yield

    assert failures(ours) == ["what: Expected this, found that. Do so"]
    with pytest.raises(ZeroDivisionError):
        failures(bug)

"""The pages with a role that can only read, and what they say when it may not even do that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from open_orders.web import database
from open_orders.web.app import build_job_logs_app, build_open_orders_app
from open_orders.web.database import MissingRightError, read
from tests.integration.database_roles import Site, make_site
from tests.integration.erp import Sync, order
from tests.web.web_client import WebClient

APPS = {"/job_logs": build_job_logs_app(), "/open_orders": build_open_orders_app()}
PATHS = [prefix + route.path for prefix, app in APPS.items() for route in app.routes if isinstance(route, APIRoute)]
# So that no branch which needs the database is left out.
PARAMETERS = {
    "/job_logs/": ["", "?q=Published", "?status=error&job=sync_open_orders", "?since=2026-01-01"],
    "/job_logs/run": ["?dag_id=sync_open_orders&run_id={run_id}"],
    "/job_logs/{name}": ["", "?q=Published&level=warning"],
    "/open_orders/": ["", "?q=SO&sort=-amount_open&overdue=1", "?changed=1&customer_code=C1"],
    "/open_orders/changes": ["", "?sync={name}&kind=changed"],
    "/open_orders/rejected": ["", "?scope=all"],
}


@pytest.fixture
def site(web: WebClient, orders_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Yield the database of the pages, whose process knows no connection but theirs: the role that reads."""
    site = make_site(orders_dsn)
    site.provision()
    site.take_from_public()
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB_WEB", site.uri(site.web))
    yield site
    database._warn_of_fallback.cache_clear()


@pytest.fixture
def synced(site: Site, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return name and run id of a sync, the second one, that left something to every page; its connection is gone."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", site.uri(site.pipeline))
    sync.erp.rows = [order("SO1"), order("SO2"), order("SO3", quantity_open=None)]
    sync.run()
    sync.erp.rows = [order("SO1", customer_name="Renamed"), order("SO3", quantity_open=None), order("SO4")]
    run_id = sync.run().run_id
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_DB")
    with site.connect() as connection:
        row = connection.execute("SELECT name FROM job_logs WHERE run_id = %s", [run_id]).fetchone()
    assert row
    return {"name": row[0], "run_id": run_id}


@pytest.mark.parametrize("path", PATHS)
def test_every_page_and_answer_is_complete_for_a_role_that_can_only_read(
    web: WebClient, synced: dict[str, str], path: str
) -> None:
    for parameters in PARAMETERS.get(path, [""]):
        address = (path + parameters).format(**synced)
        answer = web.get(address)
        assert answer.status_code == 200, f"{address}: {answer.text}"


def test_session_of_the_pages_is_that_of_their_role(web: WebClient, site: Site) -> None:
    with read() as session:
        assert session.scalar(text("SELECT current_user")) == site.web.role


def test_without_a_connection_of_their_own_pages_use_the_pipelines_and_warn_once(
    web: WebClient, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database._warn_of_fallback.cache_clear()
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_DB_WEB")
    for use in database.POOLS:
        with read(use) as session:
            assert session.scalar(text("SELECT current_user")) == "postgres"
    warnings = [record.getMessage() for record in caplog.records if "orders_db_web" in record.getMessage()]
    assert len(warnings) == 1
    assert "the pages use orders_db, whose role can write" in warnings[0]


def test_without_any_connection_the_page_names_both(web: WebClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_DB")
    answer = web.get("/job_logs/")
    assert answer.status_code == 503
    assert "There is no Airflow connection orders_db_web, nor orders_db" in answer.text


def test_connection_of_the_pages_that_is_wrong_does_not_fall_back(
    web: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB_WEB", "postgres://nobody@127.0.0.1:1/orders")
    answer = web.get("/job_logs/")
    assert answer.status_code == 503
    assert "The orders database cannot be reached" in answer.text
    assert "orders_db_web is right" in answer.text


@pytest.mark.parametrize(
    ("path", "taken", "says"),
    [
        ("/job_logs/", "SELECT ON job_logs", "permission denied for table job_logs"),
        ("/open_orders/", "SELECT ON open_orders", "permission denied for table open_orders"),
        ("/open_orders/export.csv", "SELECT ON open_orders", "permission denied for table open_orders"),
        ("/job_logs/", "SELECT ON open_orders_alembic_version", "permission denied for table open_orders_alembic_ver"),
        ("/job_logs/", "USAGE ON SCHEMA public", "permission denied for schema public"),
    ],
)
def test_missing_right_is_a_page_of_its_own_that_says_which_and_who_gives_it(
    web: WebClient, site: Site, path: str, taken: str, says: str
) -> None:
    site.execute_for(site.web, f"REVOKE {taken} FROM {{}}")
    answer = web.get(path)
    assert answer.status_code == 503
    assert "The pages lack a right in the orders database" in answer.text
    assert says in answer.text
    assert "bin/roles" in answer.text
    program = web.get("/job_logs/api/health", accept="application/json")
    if "open_orders/" not in path:
        assert program.status_code == 503
        assert program.json()["title"] == "The pages lack a right in the orders database"


def test_role_that_may_not_connect_is_told_so(web: WebClient, site: Site) -> None:
    site.execute_for(site.web, f"REVOKE CONNECT ON DATABASE {site.database} FROM {{}}")
    assert "permission denied for database" in web.get("/job_logs/").text


def test_missing_right_of_a_read_is_told_from_other_errors(web: WebClient, site: Site) -> None:
    with pytest.raises(MissingRightError, match="permission denied for table open_orders_landing"), read() as session:
        session.execute(text("SELECT FROM open_orders_landing"))
    with pytest.raises(ProgrammingError, match="no_such_table"), read() as session:
        session.execute(text("SELECT FROM no_such_table"))

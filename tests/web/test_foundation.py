from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from open_orders.contract import OPEN_ORDERS
from open_orders.web import database
from open_orders.web.bare_addresses import BareAddresses
from open_orders.web.database import DatabaseUnreachableError, StatementTimeoutError, read
from tests.web.web_client import WebClient


def test_read_session_cannot_write(web: WebClient) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"), read() as session:
        session.execute(text("DELETE FROM job_logs"))


def test_statement_over_the_limit_is_a_timeout(web: WebClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "STATEMENT_TIMEOUT_S", 1)
    with pytest.raises(StatementTimeoutError), read() as session:
        session.execute(text("SELECT pg_sleep(30)"))


def test_downloads_that_nobody_reads_do_not_keep_pages_waiting(web: WebClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "POOL_TIMEOUT_S", 0.1)
    with ExitStack() as downloads:
        for _ in range(4):
            downloads.enter_context(read("downloads"))
        assert web.get("/open_orders/export.csv").status_code == 503
        for path in ("/job_logs/", "/open_orders/"):
            assert web.get(path).status_code == 200
    assert web.get("/open_orders/export.csv").status_code == 200


def test_download_whose_reader_has_stopped_gives_its_transaction_up(
    web: WebClient, orders: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_TIMEOUT_S", 1)
    idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state = 'idle in transaction'"
    with pytest.raises(DatabaseUnreachableError), read("downloads") as session:
        session.execute(text("SELECT 1"))
        with database.engine("pages").connect() as other:
            other.execute(text("SELECT pg_sleep(2)"))
        assert orders.execute(idle, [database.APPLICATION_NAME]).fetchone() == (0,)
        session.execute(text("SELECT 1"))


def test_dead_host_is_unreachable(web: WebClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", "postgres://nobody@127.0.0.1:1/orders")
    with pytest.raises(DatabaseUnreachableError), read():
        pass


def test_connection_says_who_it_is(web: WebClient) -> None:
    with read() as session:
        assert session.scalar(text("SELECT current_setting('application_name')")) == "open_orders web"


def test_openapi_document_is_served_without_other_hosts(web: WebClient) -> None:
    assert web.get("/job_logs/api/openapi.json", accept="application/json").json()["openapi"].startswith("3.")
    page = web.get("/job_logs/api/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("http://www.w3.org/2000/svg", "")


def test_openapi_document_says_who_gets_in_and_how_errors_look(web: WebClient) -> None:
    for area in ("job_logs", "open_orders"):
        document = web.get(f"/{area}/api/openapi.json", accept="application/json").json()
        assert document["security"] == [{"basic": []}, {"token": []}, {"session": []}]
        assert document["components"]["securitySchemes"]["basic"] == {"type": "http", "scheme": "basic"}
        for path, methods in document["paths"].items():
            responses = methods["get"]["responses"]
            assert list(responses["default"]["content"]) == ["application/problem+json"], path
            assert "422" not in responses, path


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/job_logs", "/job_logs/"),
        ("/open_orders?q=a%20b&overdue=1", "/open_orders/?q=a%20b&overdue=1"),
        ("/job_logs/", None),
        ("/job_logs_of_others", None),
        ("/dags/job_logs", None),
    ],
)
def test_address_without_the_slash_leads_to_the_page(path: str, location: str | None) -> None:
    app = FastAPI()
    app.add_middleware(BareAddresses)
    with TestClient(app, follow_redirects=False) as client:
        answer = client.get(path, headers={"host": "evil.example"})
    assert answer.headers.get("location") == location
    assert answer.status_code == (307 if location else 404)


def test_static_files_are_kept_by_the_browser_and_pages_are_not(web: WebClient) -> None:
    assert "immutable" in web.get("/job_logs/static/base.css?v=1").headers["cache-control"]
    assert web.get("/job_logs/static/base.js").headers["cache-control"] == "no-cache"
    assert web.get("/job_logs/api/docs").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("area", ["job_logs", "open_orders"])
def test_openapi_document_describes_every_answer(web: WebClient, area: str) -> None:
    document = web.get(f"/{area}/api/openapi.json", accept="application/json").json()
    for operation in (path["get"] for path in document["paths"].values()):
        shape = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
        assert document["components"]["schemas"][shape]["properties"]
        page = web.get(f"/{area}/api/docs").text
        assert f'href="#{shape}"' in page
        assert f'id="{shape}"' in page


def test_fields_of_an_open_order_are_documented_from_the_contract(web: WebClient) -> None:
    document = web.get("/open_orders/api/openapi.json", accept="application/json").json()
    fields = document["components"]["schemas"]["OpenOrder"]["properties"]
    assert list(fields) == [*OPEN_ORDERS.names, "changed_in_last_sync"]
    for column in OPEN_ORDERS.columns:
        assert fields[column.name]["description"].startswith(column.description)

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from open_orders.web.database import DatabaseUnreachableError, StatementTimeoutError, read
from tests.web.web_client import WebClient


def test_read_session_cannot_write(web: WebClient) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"), read() as session:
        session.execute(text("DELETE FROM job_logs"))


def test_statement_over_the_limit_is_a_timeout(web: WebClient) -> None:
    with pytest.raises(StatementTimeoutError), read(timeout_s=0.05) as session:
        session.execute(text("SELECT pg_sleep(30)"))


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


def test_static_files_are_kept_by_the_browser_and_pages_are_not(web: WebClient) -> None:
    assert "immutable" in web.get("/job_logs/static/base.css?v=1").headers["cache-control"]
    assert web.get("/job_logs/static/base.js").headers["cache-control"] == "no-cache"
    assert web.get("/job_logs/api/docs").headers["cache-control"] == "no-store"

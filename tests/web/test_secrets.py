"""No password of the orders database on a page, in the API, a file or the web server's log, whoever repeats it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from open_orders import masking
from open_orders.web import database
from tests.secrets import SECRETS, address_of, repeated, said
from tests.web.web_client import WebClient

ROLE = "web_with_a_secret"
PATHS = (
    "/job_logs/",
    "/job_logs/api/panel",
    "/open_orders/",
    "/open_orders/api/open_orders",
    "/open_orders/export.csv",
)
every_path = pytest.mark.parametrize("path", PATHS)


@pytest.fixture(params=SECRETS)
def secret(
    web: WebClient,
    orders: psycopg.Connection[Any],
    orders_dsn: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """Yield the password of the pages' role; what earlier tests hid is forgotten."""
    secret = str(request.param)
    monkeypatch.setattr(masking, "_spellings", set())
    orders.execute(
        sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(secret))
    )
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", address_of(orders_dsn, ROLE, secret))
    yield secret
    for made in map(database.engine, database.POOLS):
        made.dispose()
    orders.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [ROLE])
    orders.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(ROLE)))


def let_talk(orders: psycopg.Connection[Any], secret: str, error_code: str) -> None:
    """Let whoever reads the job logs hear the password in an error."""
    orders.execute(
        sql.SQL(
            "CREATE FUNCTION talk() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION USING ERRCODE = {}, MESSAGE = {}; END $$"
        ).format(sql.Literal(error_code), sql.Literal(f"{said(secret)} end"))
    )
    orders.execute("ALTER TABLE job_logs RENAME TO job_logs_kept")
    orders.execute("CREATE VIEW job_logs AS SELECT *, talk() AS talk FROM job_logs_kept WHERE talk() > 0")
    orders.execute("INSERT INTO job_logs_kept (name, job_name, dag_id, run_id, trigger, started_at, heartbeat_at) "
                   "VALUES ('x', 'sync_open_orders', 'd', 'r', 'manual', now(), now())")  # fmt: skip


@every_path
def test_database_that_repeats_the_password_while_it_is_away(
    web: WebClient, orders: psycopg.Connection[Any], secret: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    # cannot_connect_now
    let_talk(orders, secret, "57P03")
    with caplog.at_level(logging.DEBUG):
        answer = web.get(path)
    assert answer.status_code == 503
    for text in (answer.text, caplog.text):
        assert "*** " in text
        assert repeated(secret, text) == []


@every_path
def test_error_that_nobody_foresaw_shows_nothing_and_logs_no_password(
    web: WebClient, orders: psycopg.Connection[Any], secret: str, path: str
) -> None:
    let_talk(orders, secret, "P0001")
    with pytest.raises(Exception, match="end") as raised:
        web.get(path)
    logged = "".join(traceback.format_exception(raised.value))
    assert "***" in logged
    assert repeated(secret, logged) == []


@every_path
def test_refused_login_of_the_pages_says_nothing_of_the_password(
    web: WebClient, orders: psycopg.Connection[Any], secret: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    orders.execute(sql.SQL("ALTER ROLE {} PASSWORD 'another'").format(sql.Identifier(ROLE)))
    with caplog.at_level(logging.DEBUG):
        answer = web.get(path)
    assert answer.status_code == 503
    assert "authentication failed" in answer.text
    assert repeated(secret, answer.text + caplog.text) == []

"""No password gets into what is written down, whoever repeats it: a driver, a server, a parameter, a callback."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from open_orders import masking
from open_orders.execution import Execution
from open_orders.heartbeat import beat_while_working
from open_orders.job_log_hook import JobLogHook
from open_orders.migrations.__main__ import main as migrate
from sandbox.tds.faults import Faults
from sandbox.tds.scripted_engine import ScriptedEngine
from sandbox.tds.server import StandInServer
from tests.integration.driver_process import DriverProcess
from tests.integration.erp import Erp, Sync, order
from tests.secrets import SECRETS, address_of, repeated, said

ROLE = "with_a_secret"


Logged = Callable[[], str]


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Logged:
    """Return what gives all that was logged so far, by Airflow's loggers too."""
    caplog.set_level(logging.DEBUG)
    return lambda: "".join((*capfd.readouterr(), caplog.text))


@pytest.fixture(params=SECRETS)
def secret(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a password; what earlier tests hid is forgotten."""
    monkeypatch.setattr(masking, "_spellings", set())
    return str(request.param)


@pytest.fixture
def erp(secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Erp]:
    """Yield the ERP, whose reader has the secret for a password."""
    engine = ScriptedEngine()
    with StandInServer(engine, users={"reader": secret}) as server:
        address = f"mssql://reader:{quote(secret, safe='')}@127.0.0.1:{server.port}/ERP?trust_server_certificate=true"
        monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", address)
        yield Erp(server, engine, tmp_path / "open_orders.sql")


@pytest.fixture
def orders_with_secret(
    orders: psycopg.Connection[Any], orders_dsn: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Let the connection orders_db be one of a role with the secret for a password, and for that of its key."""
    orders.execute(
        sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(secret))
    )
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", address_of(orders_dsn, ROLE, secret, sslpassword=f"key of {secret}"))
    yield secret
    orders.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [ROLE])
    orders.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(ROLE)))


@contextmanager
def heard(logger: str) -> Iterator[tuple[list[str], Event]]:
    """Yield what a logger says, and the event that it says something."""
    messages: list[str] = []
    something = Event()

    def listen(record: logging.LogRecord) -> bool:
        messages.append(record.getMessage())
        something.set()
        return True

    logging.getLogger(logger).addFilter(listen)
    yield messages, something
    logging.getLogger(logger).removeFilter(listen)


def written(orders: psycopg.Connection[Any]) -> str:
    """Return all that the job logs say."""
    rows = orders.execute(
        "SELECT coalesce(error_summary, '') FROM job_logs UNION ALL SELECT message FROM job_log_details"
    ).fetchall()
    return "\n".join(str(row[0]) for row in rows)


def test_source_that_repeats_the_password_is_not_believed_to_be_discreet(
    sync: Sync, erp: Erp, secret: str, orders: psycopg.Connection[Any], logged: Logged
) -> None:
    erp.rows = [order("SO1"), order("SO2")]
    erp.server.faults = Faults(error_after_rows=(1, 50000, 16, 1, f"{said(secret)} end"))
    with pytest.raises(Exception, match="end") as raised:
        sync.run(["connect", "fetch"], attempts=1)
    assert "error 50000" in written(orders)
    for text in (written(orders), logged(), "".join(traceback.format_exception(raised.value))):
        assert "***" in text
        assert repeated(secret, text) == []


def test_refused_login_says_who_and_not_with_what(
    erp: Erp, secret: str, orders: psycopg.Connection[Any], logged: Logged, driver: DriverProcess
) -> None:
    erp.server.faults = Faults(refuse_logins=True)
    attempt = {
        "dag_id": "sync_open_orders", "run_id": "it", "trigger": "manual", "triggered_by": "admin", "clear_number": 0,
        "step": "connect", "attempt": 1, "attempts": 1,
    }  # fmt: skip
    ending = driver.step(os.environ["AIRFLOW_CONN_ERP_MSSQL"], erp.query_file, attempt)
    assert ending.error is not None
    assert "refused the login 'reader'" in ending.error
    assert "refused the login 'reader'" in written(orders)
    assert repeated(secret, ending.error + written(orders) + logged()) == []


@pytest.mark.parametrize("parameter", ["batch_size", "max_drop_share", "allow_empty"])
def test_password_given_as_a_parameter_is_not_written_down(
    sync: Sync, secret: str, orders: psycopg.Connection[Any], parameter: str
) -> None:
    # By somebody who took one field of the form for another; the step before has read the connection.
    sync.run(["connect"], run_id="r")
    with pytest.raises(Exception, match=parameter):
        sync.run(["connect"], run_id="r", params={parameter: secret}, attempt=2)
    assert parameter in written(orders)
    assert repeated(secret, written(orders)) == []


def test_orders_database_that_repeats_secrets_is_not_believed_to_be_discreet(
    orders_with_secret: str,
    execution: Callable[..., Execution],
    orders: psycopg.Connection[Any],
    logged: Logged,
) -> None:
    raise_it = sql.SQL("DO $do$ BEGIN RAISE EXCEPTION USING MESSAGE = {}; END $do$").format(
        sql.Literal(f"{said(orders_with_secret)}, key of {orders_with_secret}: end")
    )
    with (
        pytest.raises(psycopg.errors.RaiseException) as raised,
        JobLogHook().step(execution(attempts=1)) as log,
        log.connect("test") as own,
    ):
        own.execute(raise_it)
    assert "refused a statement" in written(orders)
    for text in (written(orders), logged(), "".join(traceback.format_exception(raised.value))):
        assert "end" in text
        assert repeated(orders_with_secret, text) == []


def test_refused_login_at_the_orders_database_is_discreet(
    orders_dsn: str,
    secret: str,
    execution: Callable[..., Execution],
    monkeypatch: pytest.MonkeyPatch,
    logged: Logged,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", address_of(orders_dsn, ROLE, secret))
    with (
        pytest.raises(psycopg.OperationalError) as raised,
        JobLogHook().step(execution(attempts=1)),
    ):
        pass
    assert "authentication failed" in logged()
    assert repeated(secret, logged() + "".join(traceback.format_exception(raised.value))) == []


def test_heartbeat_repeats_no_secret(
    orders_with_secret: str, execution: Callable[..., Execution], orders: psycopg.Connection[Any]
) -> None:
    log = JobLogHook()
    log.open(execution())
    orders.execute(
        sql.SQL(
            "CREATE FUNCTION talk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION USING MESSAGE = {}; END $$"
        ).format(sql.Literal(said(orders_with_secret)))
    )
    orders.execute("CREATE TRIGGER talk BEFORE UPDATE ON job_logs EXECUTE FUNCTION talk()")
    with heard("open_orders.heartbeat") as (messages, something), beat_while_working(log, 0.01):
        assert something.wait(30)
    assert "Heartbeat not written" in messages[0]
    assert "***" in messages[0]
    assert repeated(orders_with_secret, "\n".join(messages)) == []


def test_callback_repeats_no_secret(
    orders_with_secret: str, execution: Callable[..., Execution], orders: psycopg.Connection[Any]
) -> None:
    run = execution()
    JobLogHook().open(run)
    # Another process: it knows no secret until it reads the connection.
    masking._spellings.clear()
    JobLogHook().close_run(run.dag_id, run.run_id, None, f"{said(orders_with_secret)} end", succeeded=False)
    assert written(orders).count("end") == 2
    assert repeated(orders_with_secret, written(orders)) == []


def test_migrate_repeats_no_secret(
    orders_dsn: str, secret: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", address_of(orders_dsn, ROLE, secret))
    assert migrate(["current"]) == 1
    shown = capfd.readouterr()
    assert "authentication failed" in shown.err
    assert repeated(secret, shown.out + shown.err) == []

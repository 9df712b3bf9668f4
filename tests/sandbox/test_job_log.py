from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import create_engine

from open_orders.migrations.__main__ import migrate
from sandbox import job_log
from sandbox.job_log import NoJobLogError, Outcome, follow_run, list_outcomes
from sandbox.postgres import EmbeddedPostgres

BEFORE = datetime.now(UTC) - timedelta(hours=1)


class Run:
    """The job log of one run, written as the sync does it."""

    def __init__(self, connection: psycopg.Connection, run_id: str) -> None:
        self.connection = connection
        self.run_id = run_id
        self.id = connection.execute(
            "INSERT INTO job_logs (name, job_name, status, dag_id, run_id, trigger, started_at, heartbeat_at)"
            " VALUES (%s, 'dag', 1, 'dag', %s, 'manual', now(), now()) RETURNING id",
            [f"log of {run_id}", run_id],
        ).fetchone()[0]

    def say(self, message: str, level: str = "info") -> None:
        self.connection.execute(
            "INSERT INTO job_log_details (job_log_id, level, task_id, message) VALUES (%s, %s, 'fetch', %s)",
            [self.id, level, message],
        )

    def succeed(self) -> None:
        self.connection.execute(
            "UPDATE job_logs SET status = 2, completed_at = now(), inserted = 1200, updated = 2, deleted = 3,"
            " rejected = 4, total_after = 5000 WHERE id = %s",
            [self.id],
        )

    def fail(self, reason: str) -> None:
        self.connection.execute(
            "UPDATE job_logs SET status = 3, completed_at = now(), error_summary = %s WHERE id = %s",
            [reason, self.id],
        )


@pytest.fixture
def orders(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Yield the address of an orders database without job logs."""
    postgres.create_database("followed")
    engine = create_engine(postgres.dsn("followed").replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    yield postgres.dsn("followed")
    with psycopg.connect(postgres.dsn(), autocommit=True) as administration:
        administration.execute("DROP DATABASE followed WITH (FORCE)")


@pytest.fixture
def connection(orders: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(orders, autocommit=True) as connection:
        yield connection


def test_messages_are_printed_once_each_as_they_come(orders: str, connection: psycopg.Connection) -> None:
    run = Run(connection, "r")
    run.say("Connecting")
    printed: list[str] = []

    def read_run_state() -> str:
        run.say("Something odd", "warning")
        run.say("Published")
        run.succeed()
        return "running"

    outcome = follow_run(orders, "dag", "r", read_run_state=read_run_state, say=printed.append)
    assert outcome == Outcome("log of r", True, "5,000 open orders: 1,200 new, 2 changed, 3 closed, 4 rejected")
    assert [line.split(maxsplit=3)[1:] for line in printed] == [
        ["info", "fetch", "Connecting"],
        ["warning", "fetch", "Something odd"],
        ["info", "fetch", "Published"],
    ]


def test_failed_run_ends_with_its_reason(orders: str, connection: psycopg.Connection) -> None:
    Run(connection, "r").fail("SQL Server refused the login")
    outcome = follow_run(orders, "dag", "r", read_run_state=lambda: "failed", say=print)
    assert not outcome.succeeded
    assert str(outcome) == "Job log log of r: ERROR - SQL Server refused the login"


def test_run_that_ends_without_a_job_log_is_an_error(monkeypatch: pytest.MonkeyPatch, orders: str) -> None:
    monkeypatch.setattr(job_log, "ASK_STATE_S", 0.01)
    with pytest.raises(NoJobLogError, match="The run is failed .* it has no job log"):
        follow_run(orders, "dag", "r", read_run_state=lambda: "failed", say=print)


def test_job_log_that_nobody_closes_is_an_error(
    monkeypatch: pytest.MonkeyPatch, orders: str, connection: psycopg.Connection
) -> None:
    monkeypatch.setattr(job_log, "CLOSE_TIMEOUT_S", 0.01)
    Run(connection, "r")
    with pytest.raises(NoJobLogError, match="its job log is not closed"):
        follow_run(orders, "dag", "r", read_run_state=lambda: "failed", say=print)


def test_earlier_runs_are_listed_oldest_first(orders: str, connection: psycopg.Connection) -> None:
    Run(connection, "one").succeed()
    Run(connection, "two").fail("no luck")
    Run(connection, "three")
    assert [outcome.name for outcome in list_outcomes(orders, "dag", BEFORE)] == ["log of one", "log of two"]
    assert list_outcomes(orders, "dag", datetime.now(UTC) + timedelta(hours=1)) == []

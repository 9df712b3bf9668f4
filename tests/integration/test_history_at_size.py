"""Airflow's own command on its own database, with two months of runs in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from open_orders import history
from sandbox.postgres import EmbeddedPostgres
from tests.integration.outcome import messages

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

DAYS = 60
ADD_RUNS = """
    INSERT INTO dag_run (dag_id, run_id, run_type, state, logical_date, start_date, run_after, queued_at, clear_number)
    SELECT %(dag)s, %(kind)s || '__' || at, %(kind)s, 'success', at, at, at, at, 0
    FROM generate_series(now() - %(days)s * interval '1 day', now() - %(until)s * interval '1 day', %(every)s) AS at"""
ADD_TASKS = """
    INSERT INTO task_instance (
        id, task_id, dag_id, run_id, map_index, try_number, max_tries, state, start_date, pool, pool_slots, queue,
        priority_weight, operator, custom_operator_name, executor_config, span_status
    )
    SELECT
        gen_random_uuid(), 'task_' || n, dag_id, run_id, -1, 1, 0, 'success', start_date, 'default_pool', 1, 'default',
        1, 'x', 'x', '\\x'::bytea, 'ended'
    FROM dag_run, generate_series(1, 5) AS n"""


@pytest.fixture
def metadata(
    postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to Airflow's own database, made by Airflow, which its command is told of."""
    name = "airflow_history"
    postgres.create_database(name)
    address = postgres.dsn(name).replace("postgresql://", "postgresql+psycopg2://")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", address)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["plugins", "."]))
    manager = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", manager)
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
        yield connection


def count(metadata: psycopg.Connection[Any], table: str) -> dict[str, int]:
    return dict(metadata.execute(f"SELECT dag_id, count(*) FROM {table} GROUP BY 1").fetchall())


def test_runs_older_than_a_month_go_with_their_tasks_and_the_newest_of_each_dag_stays(
    metadata: psycopg.Connection[Any], orders: psycopg.Connection[Any]
) -> None:
    for dag, kind, every, days, until in (
        ("sync_open_orders", "scheduled", "5 minutes", DAYS, 0),
        ("stopped", "scheduled", "1 day", DAYS, 40),
        ("by_hand", "manual", "1 day", DAYS, 40),
    ):
        metadata.execute(ADD_RUNS, {"dag": dag, "kind": kind, "every": every, "days": days, "until": until})
    metadata.execute(ADD_TASKS)
    metadata.execute("INSERT INTO log (dttm, event, owner) VALUES (now() - interval '40 days', 'trigger', 'admin')")
    metadata.execute("INSERT INTO log (dttm, event, owner) VALUES (now() - interval '400 days', 'trigger', 'admin')")
    started = time.monotonic()
    history.main(["--once"])
    print(f"{time.monotonic() - started:.0f} s")
    [(run_id,)] = orders.execute("SELECT run_id FROM job_logs").fetchall()
    print(*messages(orders, run_id), sep="\n")
    runs, tasks = count(metadata, "dag_run"), count(metadata, "task_instance")
    assert 30 * 288 <= runs["sync_open_orders"] <= 30 * 288 + 2
    # Airflow continues a schedule from its last run; those by hand have none.
    assert (runs["stopped"], runs.get("by_hand")) == (1, None)
    assert set(tasks) == {"sync_open_orders"}
    assert tasks["sync_open_orders"] == 5 * runs["sync_open_orders"]
    assert metadata.execute("SELECT count(*) FROM log WHERE event = 'trigger'").fetchone() == (1,)
    left = "SELECT relname FROM pg_class WHERE relname LIKE '\\_airflow\\_deleted%'"
    assert metadata.execute(left).fetchall() == []

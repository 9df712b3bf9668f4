"""What cleans Airflow's own history: what it keeps of its log folders, and how it says what it did."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.utils.db_cleanup import config_dict

from open_orders import history
from open_orders.execution import Execution, RunState
from open_orders.job_log_hook import JobLogHook
from tests.integration.outcome import messages

OUTPUT = """
Checking table task_instance
Found 1440 rows meeting deletion criteria.
Performing Delete (batch 1, max 5000 rows)...
Finished Performing Delete

Checking table xcom
Found 0 rows meeting deletion criteria.
"""


@pytest.fixture
def airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Return a setter of what Airflow's command says and how it ends, which returns how it was called."""

    def answer(output: str, returncode: int = 0) -> list[list[str]]:
        calls: list[list[str]] = []

        def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            calls.append(command)
            return subprocess.CompletedProcess(command, returncode, output, "")

        monkeypatch.setattr(subprocess, "run", run)
        return calls

    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY", str(tmp_path / "dag_processor"))
    return answer


def test_every_table_that_airflow_cleans_is_kept_or_cleaned_on_purpose() -> None:
    ours = {*history.TABLES, *history.AUDIT_TABLES}
    assert set(config_dict) - ours == {"dag"}
    # Only a configuration with another session backend lacks this one.
    assert ours - set(config_dict) <= {"session"}


def test_result_is_a_job_log(orders: psycopg.Connection[Any], airflow: Callable[..., list[list[str]]]) -> None:
    runs, audit = airflow(OUTPUT), history.AUDIT_TABLES
    history.main(["--once"])
    [(run_id, status, name)] = orders.execute("SELECT run_id, status, job_name FROM job_logs").fetchall()
    assert (status, name) == (2, "airflow_history")
    said = messages(orders, run_id)
    assert said[0] == "Job started - airflow_history (process)"
    assert "(30 days): deleted 1,440 task_instance in " in said[1]
    assert said[2].startswith("Airflow's audit log from before ")
    assert said[3].endswith(": deleted those of 0 runs")
    assert [call[call.index("--tables") + 1] for call in runs] == [",".join(history.TABLES), ",".join(audit)]


def test_failure_of_airflows_command_is_in_the_job_log_and_in_the_exit_code(
    orders: psycopg.Connection[Any], airflow: Callable[..., list[list[str]]]
) -> None:
    airflow("sqlalchemy.exc.OperationalError: no such server\n", returncode=1)
    with pytest.raises(history.HistoryError):
        history.main(["--once"])
    row = orders.execute("SELECT status, error_summary FROM job_logs").fetchone()
    assert row == (3, "clean: airflow db clean failed (exit code 1): sqlalchemy.exc.OperationalError: no such server")


def test_log_folders_of_old_runs_go_and_those_in_which_something_was_written_stay(
    orders: psycopg.Connection[Any], airflow: Callable[..., list[list[str]]], tmp_path: Path
) -> None:
    airflow("")
    then = (datetime.now(UTC) - timedelta(days=31)).timestamp()
    for run, attempts in (("old", (1,)), ("repeated", (1, 2)), ("new", (1,))):
        for attempt in attempts:
            file = tmp_path / "dag_id=sync_open_orders" / f"run_id={run}" / "task_id=fetch" / f"attempt={attempt}.log"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("said")
            if run == "old" or (run, attempt) == ("repeated", 1):
                for path in (file, *file.parents[:2]):
                    os.utime(path, (then, then))
    for day in ("2025-01-01", "2026-01-01"):
        parsed = tmp_path / "dag_processor" / day / "dags-folder"
        parsed.mkdir(parents=True)
        if day == "2025-01-01":
            for path in (parsed, parsed.parent):
                os.utime(path, (then, then))
    history.main(["--once"])
    assert {folder.name for folder in tmp_path.glob("dag_id=*/*")} == {"run_id=repeated", "run_id=new"}
    assert [folder.name for folder in (tmp_path / "dag_processor").iterdir()] == ["2026-01-01"]


def test_job_outside_of_airflow_is_dead_by_its_heartbeat_alone(
    orders: psycopg.Connection[Any], execution: Callable[..., Execution]
) -> None:
    JobLogHook().open(history.describe_execution())
    with JobLogHook().job(execution(dag_id="maintain_job_logs", run_state=lambda *_: RunState.OVER)) as log:
        assert log.close_dead() == []
        orders.execute("UPDATE job_logs SET heartbeat_at = heartbeat_at - interval '6 minutes' WHERE status = 1")
        orders.execute("UPDATE job_logs SET heartbeat_at = clock_timestamp() WHERE job_name = 'maintain_job_logs'")
        assert len(log.close_dead()) == 1

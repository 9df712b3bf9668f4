"""Keep Airflow's own history in bounds: `python -m open_orders.history`, a process of its own beside Airflow's.

Its grid and its database grow by some hundred runs a day, and a task can't reach that database. This process runs
Airflow's own command for it once a day, deletes the log files of runs of that age, and writes a job log of each time.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from open_orders.errors import HistoryError
from open_orders.settings import Settings, load_settings

if TYPE_CHECKING:
    from open_orders.execution import Execution
    from open_orders.job_log_hook import JobLogHook

JOB = "airflow_history"
# A restart, or a start for a few minutes, is no time for maintenance.
FIRST_AFTER_S = 30 * 60.0
# This file in AIRFLOW_HOME says that the last time failed: what a health check looks for.
FAILED = "history_failed"
EVERY_S = 24 * 3600.0
AGAIN_AFTER_S = 3600.0
# Rows in one of Airflow's transactions; it makes and drops a table for each.
BATCH_ROWS = 5_000
TIME_LIMIT_S = 3600.0
# All that `airflow db clean` knows, without `dag` (a DAG is not history) and `log`.
TABLES = (
    "dag_run",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "task_state_store",
    "xcom",
    "job",
    "trigger",
    "callback",
    "deadline",
    "dag_version",
    "asset_event",
    "partitioned_asset_key_log",
    "import_error",
    "session",
    "revoked_token",
    "connection_test_request",
    "celery_taskmeta",
    "celery_tasksetmeta",
    "_xcom_archive",
)
# Who did what in Airflow, which is kept as long as our own job logs.
AUDIT_TABLES = ("log",)
FOUND = re.compile(r"^Checking table (\S+)\nFound (\d+) rows", re.MULTILINE)


def clean_history(log: JobLogHook, settings: Settings) -> None:
    """Delete what is too old from Airflow's database and log folders; raises HistoryError when Airflow's command fails.

    Airflow keeps the newest scheduled run of each DAG, however old.
    """
    for what, tables, days in (
        ("runs", TABLES, settings.airflow_history_days),
        ("audit log", AUDIT_TABLES, settings.job_logs_days),
    ):
        started = time.monotonic()
        before = datetime.now(UTC) - timedelta(days=days)
        deleted = {table: rows for table, rows in _clean_tables(tables, before).items() if rows}
        rows = ", ".join(f"{rows:,} {table}" for table, rows in deleted.items()) or "nothing"
        log.detail(
            f"Airflow's {what} from before {before:%Y-%m-%d %H:%M} UTC ({days:,} days): deleted {rows} "
            f"in {time.monotonic() - started:.1f} s"
        )
    before = datetime.now(UTC) - timedelta(days=settings.airflow_history_days)
    log.detail(
        f"Log files of runs from before {before:%Y-%m-%d %H:%M} UTC: deleted those of {_clean_files(before):,} runs"
    )


def _clean_tables(tables: Sequence[str], before: datetime) -> dict[str, int]:
    """Run Airflow's own command, and return how many rows of each table were too old."""
    command = [sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive", "--error-on-cleanup-failure"]
    command += ["--tables", ",".join(tables), "--clean-before-timestamp", before.isoformat()]
    command += ["--batch-size", str(BATCH_ROWS)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise HistoryError(
            f"airflow db clean did not end within {TIME_LIMIT_S:.0f} s; what it deleted stays so"
        ) from None
    if done.returncode != 0:
        last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-1:]
        raise HistoryError(
            f"airflow db clean failed (exit code {done.returncode}): {' '.join(last) or 'it said nothing'}"
        )
    return {table: int(rows) for table, rows in FOUND.findall(done.stdout)}


def _clean_files(before: datetime) -> int:
    """Delete the log folders of runs, and of the dag-processor's days, in which nothing was written since."""
    from airflow.configuration import conf

    base = Path(conf.get("logging", "base_log_folder"))
    parsed = Path(conf.get("logging", "dag_processor_child_process_log_directory"))
    runs = [folder for folder in base.glob("dag_id=*/run_id=*") if _last_written(folder) < before.timestamp()]
    days = [folder for folder in parsed.glob("[0-9]*-*-*") if _last_written(folder) < before.timestamp()]
    for folder in (*runs, *days):
        shutil.rmtree(folder)
    return len(runs)


def _last_written(folder: Path) -> float:
    """Return when something in a folder was last written; links are not followed."""
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))


def describe_execution() -> Execution:
    """Return this process as the job log needs to know it."""
    from open_orders.execution import OUTSIDE, Execution, RunState

    now = datetime.now(UTC)
    return Execution(
        dag_id=JOB,
        run_id=f"{OUTSIDE}{now.isoformat()}",
        trigger="process",
        triggered_by=None,
        clear_number=0,
        run_started_at=now,
        step="clean",
        attempt=1,
        attempts=1,
        # Airflow knows nothing of it: only a log without heartbeat is dead.
        run_state=lambda _dag_id, _run_id: RunState.ACTIVE,
    )


def clean_once() -> None:
    """Clean, under a job log that shows the result."""
    from open_orders.job_log_hook import JobLogHook

    with JobLogHook().job(describe_execution()) as log:
        clean_history(log, load_settings())


def main(arguments: Sequence[str] | None = None) -> None:
    """Clean once, or forever."""
    parser = argparse.ArgumentParser(prog="python -m open_orders.history", description=__doc__)
    parser.add_argument("--once", action="store_true", help="clean now, and end; the exit code tells whether it worked")
    if parser.parse_args(arguments).once:
        clean_once()
        return
    load_settings()
    failed = Path(os.environ["AIRFLOW_HOME"]) / FAILED
    failed.unlink(missing_ok=True)
    wait_s = FIRST_AFTER_S
    while True:
        print(f"Airflow's history is cleaned in {wait_s / 60:.0f} min", flush=True)
        time.sleep(wait_s)
        # In a process of its own: between two times nothing of Airflow stays in memory.
        done = subprocess.run([sys.executable, "-m", "open_orders.history", "--once"], check=False)
        wait_s = AGAIN_AFTER_S if done.returncode else EVERY_S
        if done.returncode:
            failed.touch()
        else:
            failed.unlink(missing_ok=True)


if __name__ == "__main__":
    main()

"""The five steps of the sync as the DAG calls them, again and again in one process.

`python -m bench.rows.sync_process WARM_UP QUERY_FILE …` runs a sync for each query file, on the connections of its
environment. The first one is to warm up: steps import when they begin what they need, and that is no moving of rows.
What was published before the others is emptied. The last line that it prints is a `Report` as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook
from airflow.providers.postgres.hooks.postgres import PostgresHook

from bench.rows.measured_process import read_peak_mb
from bench.rows.sync_report import BYSTANDER, COUNTED_FROM, PAGES, STEPS, Cost, Report, SyncFigures
from open_orders import sync
from open_orders.contract import OPEN_ORDERS
from open_orders.execution import Execution, RunState
from open_orders.job_log_hook import JobLogHook
from open_orders.settings import PARAMETERS, Settings, read_parameters

_QUIET_S = 10


def main(warm_up: str, *query_files: str) -> None:
    """Run the syncs and print the report."""
    baseline_mb = read_peak_mb()
    # Before it too, or it would be refused: an earlier process may have published many more.
    _empty()
    _run(Path(warm_up), 0)
    _empty()
    syncs = [_run(Path(file), number) for number, file in enumerate(query_files, start=1)]
    print(json.dumps(asdict(Report(baseline_mb, read_peak_mb(), syncs))))


def _empty() -> None:
    PostgresHook("orders_db").run("TRUNCATE open_orders, open_order_changes, rejected_orders")


def _run(query_file: Path, number: int) -> SyncFigures:
    settings = Settings(source_sql=query_file)
    run_id = f"bench__{time.time_ns()}_{number}"
    steps = {}
    for step in STEPS:
        if step == COUNTED_FROM:
            before = _read_cost()
        began = time.monotonic()
        _run_step(_execution(step, run_id), settings)
        steps[step] = time.monotonic() - began
    after = _read_cost()
    return SyncFigures(steps, Cost(after.wal_bytes - before.wal_bytes, after.dead_rows - before.dead_rows))


def _run_step(execution: Execution, settings: Settings) -> None:
    params = settings.model_dump(include=set(PARAMETERS))
    source = MsSqlHook("erp_mssql")
    with JobLogHook().step(execution) as log:
        match execution.step:
            case "connect":
                sync.connect(log, source, OPEN_ORDERS, params, settings)
            case "fetch":
                sync.fetch(log, source, OPEN_ORDERS, read_parameters(params, settings))
            case "truncate":
                sync.truncate(log, OPEN_ORDERS)
            case "import_batches":
                sync.import_batches(log, OPEN_ORDERS)
            case "publish":
                sync.publish(log, OPEN_ORDERS, settings, read_parameters(params, settings))


def _execution(step: str, run_id: str) -> Execution:
    return Execution(
        dag_id="sync_open_orders", run_id=run_id, trigger="manual", triggered_by="bench", clear_number=0,
        run_started_at=None, step=step, attempt=1, attempts=1, run_state=lambda _dag_id, _run_id: RunState.ACTIVE,
    )  # fmt: skip


def _read_cost() -> Cost:
    """Return what has been counted so far, once the sessions that were counted are gone and have told it."""
    deadline = time.monotonic() + _QUIET_S
    with closing(PostgresHook("orders_db").get_conn()) as connection, connection.cursor() as cursor:
        # Within a transaction the list of sessions stays the same.
        connection.autocommit = True
        # The first change of a page after a checkpoint writes all of it: so each sync begins with one.
        cursor.execute("CHECKPOINT")

        def ask(statement: str) -> Any:
            cursor.execute(statement)
            return cursor.fetchone()

        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "  # noqa: S608 - names of our own
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid() "
            f"AND application_name NOT IN ('{BYSTANDER}', '{PAGES}')"
        )
        while ask(others)[0] and time.monotonic() < deadline:
            time.sleep(0.01)
        return Cost(
            *ask(
                "SELECT (pg_current_wal_lsn() - '0/0')::bigint, "
                "(SELECT sum(n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables)"
            )
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

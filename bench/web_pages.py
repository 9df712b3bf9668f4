"""Server time of Job Logs and Open Orders with 1,000,000 job logs and 12,000,000 messages, with the query plans.

An embedded PostgreSQL is migrated and filled, a real api-server asked over HTTP with the session of a browser. The
figures go to bench/results/web_pages.md; the exit code is 3 when a list or a detail takes longer than 100 ms at the
median.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine

from bench.api_server import ApiServer, insert_dag_runs, run_api_server
from bench.job_history import Size, beat, fill, read_size
from bench.page_measurement import time_page, trace_page
from bench.query_plans import explain_once
from bench.statement_log import SETTINGS, StatementLog
from bench.web_page_list import MOST_DAG_RUNS, list_pages
from bench.web_pages_report import BUDGET_MS, BUDGETED, Measurement, describe, over_budget, write_report
from open_orders.migrations.__main__ import migrate
from sandbox.postgres import EmbeddedPostgres
from sandbox.progress import announce, say

DATABASE = "orders"
# Not 1, with which Python ends when something broke.
OVER_BUDGET = 3
RESULTS = Path(__file__).with_name("results") / "web_pages.md"
# What is measured is memory and processor; nothing depends on when a disk has written.
POSTGRES_SETTINGS = SETTINGS | {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "8GB",
}


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    size = Size(options.logs, options.details_per_log, options.largest_log, options.open_orders)
    with data_directory(options.keep) as directory, serve_pages(size, directory) as (server, postgres, orders):
        measurements = _measure(server, StatementLog(orders, postgres.data_dir / "log"), orders, options)
    write_report(options.output, size, measurements, postgres.version)
    say(f"  Report: {options.output}")
    slow = over_budget([measurement.timing for measurement in measurements])
    for timing in slow:
        say(f"  ✗ expected at most {BUDGET_MS} ms: {describe(timing)}")
    return OVER_BUDGET if slow else 0


@contextmanager
def serve_pages(size: Size, directory: Path) -> Iterator[tuple[ApiServer, EmbeddedPostgres, psycopg.Connection[Any]]]:
    """Yield an api-server on a PostgreSQL with so much in its orders database, and a connection to that."""
    with announce("PostgreSQL"):
        postgres = EmbeddedPostgres(directory / "postgres", settings=POSTGRES_SETTINGS)
        postgres.start()
    try:
        with (
            _open_orders_database(postgres, size) as orders,
            run_api_server(postgres, DATABASE, directory) as server,
        ):
            insert_dag_runs(postgres, "sync_open_orders", min(size.logs, MOST_DAG_RUNS))
            yield server, postgres, orders
    finally:
        postgres.stop()


def _measure(
    server: ApiServer, log: StatementLog, orders: psycopg.Connection[Any], options: argparse.Namespace
) -> list[Measurement]:
    """Return the figures of all pages; they are timed first, while the server does not log their statements."""
    pages = [page for page in list_pages(orders) if options.only in f"{page.group}, {page.name}"]
    timings = []
    for page in pages:
        beat(orders)
        timings.append(time_page(server, page, options.requests))
        say(f"  {describe(timings[-1])}")
    beat(orders)
    with announce("Statements of each page"), log.watch():
        demands = [trace_page(server, log, page, options.requests) for page in pages]
    with announce("Query plans"):
        budgeted = [demand for page, demand in zip(pages, demands, strict=True) if page.group in BUDGETED]
        explained = explain_once(orders, budgeted) + [[] for _ in demands[len(budgeted) :]]
    return [Measurement(*parts) for parts in zip(timings, demands, explained, strict=True)]


@contextmanager
def _open_orders_database(postgres: EmbeddedPostgres, size: Size) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to the migrated and filled database."""
    postgres.create_database(DATABASE)
    engine = create_engine(postgres.dsn(DATABASE).replace("postgresql://", "postgresql+psycopg://"))
    with announce("Tables migrated"), engine.connect() as migrating:
        migrate(migrating)
    engine.dispose()
    with psycopg.connect(postgres.dsn(DATABASE), autocommit=True) as orders:
        found = read_size(orders, size)
        if found.logs == 0:
            began = time.monotonic()
            with announce(f"{size.logs:,} job logs with {size.details:,} messages, {size.open_orders:,} open orders"):
                fill(orders, size, lambda done: say(f"    {time.monotonic() - began:6.1f} s  {done}"))
        elif found != size:
            raise SystemExit(f"The kept database has {found}, expected {size}: name another directory.")
        yield orders


@contextmanager
def data_directory(kept: Path | None) -> Iterator[Path]:
    """Yield where the data are: a directory that stays, or one that is gone afterwards."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="bench-") as made:
            # PostgreSQL runs as another user when this one is root.
            Path(made).chmod(0o755)
            yield Path(made)


def _parse(arguments: list[str]) -> argparse.Namespace:
    size = Size()
    parser = argparse.ArgumentParser(
        prog="bin/bench web_pages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, meaning in (
        ("--logs", size.logs, "job logs"),
        ("--details-per-log", size.details_per_log, "messages of each log"),
        ("--largest-log", size.largest_log, "messages of the largest log"),
        ("--open-orders", size.open_orders, "lines of open orders"),
        ("--requests", 40, "timed requests of each page"),
    ):
        parser.add_argument(name, type=int, default=default, help=f"{meaning} (%(default)s)")
    parser.add_argument("--only", default="", help="measure only pages with this in their name")
    parser.add_argument("--keep", type=Path, help="directory for the data, kept and used again by the next run")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

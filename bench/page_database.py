"""The database whose pages are measured: an embedded PostgreSQL, migrated and filled, kept for the next run or not."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine

from bench.api_server import ApiServer, insert_dag_runs, run_api_server
from bench.job_history import Size, fill, read_size
from bench.statement_log import SETTINGS
from open_orders.migrations.__main__ import migrate
from sandbox.postgres import EmbeddedPostgres
from sandbox.progress import announce, say

DATABASE = "orders"
MOST_DAG_RUNS = 10_000
# What is measured is memory and processor; nothing depends on when a disk has written.
POSTGRES_SETTINGS = SETTINGS | {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "8GB",
}


@contextmanager
def serve_pages(size: Size, directory: Path) -> Iterator[tuple[ApiServer, EmbeddedPostgres, psycopg.Connection[Any]]]:
    """Yield an api-server on a PostgreSQL with so much in its orders database, and a connection to that."""
    with announce("PostgreSQL"):
        postgres = EmbeddedPostgres(directory / "postgres", settings=POSTGRES_SETTINGS)
        postgres.start()
    try:
        with filled_database(postgres, size) as orders, run_api_server(postgres, DATABASE, directory) as server:
            insert_dag_runs(postgres, "sync_open_orders", min(size.logs, MOST_DAG_RUNS))
            yield server, postgres, orders
    finally:
        postgres.stop()


@contextmanager
def filled_database(postgres: EmbeddedPostgres, size: Size) -> Iterator[psycopg.Connection[Any]]:
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


def add_size_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how much is in the database, and where it is kept."""
    size = Size()
    for name, default, meaning in (
        ("--logs", size.logs, "job logs"),
        ("--details-per-log", size.details_per_log, "messages of each log"),
        ("--largest-log", size.largest_log, "messages of the largest log"),
        ("--open-orders", size.open_orders, "lines of open orders"),
    ):
        parser.add_argument(name, type=int, default=default, help=f"{meaning} (%(default)s)")
    parser.add_argument("--keep", type=Path, help="directory for the data, kept and used again by the next run")


def size_of(options: argparse.Namespace) -> Size:
    """Return what the options say."""
    return Size(options.logs, options.details_per_log, options.largest_log, options.open_orders)

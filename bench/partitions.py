"""`job_log_details` in one partition a month beside the plain table: pages, and what deleting a month costs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import scalar_row

from bench.api_server import ApiServer
from bench.job_history import Size, beat, load
from bench.page_database import data_directory, serve_pages
from bench.page_measurement import trace_page
from bench.statement_log import Statement, StatementLog
from bench.web_page_list import list_pages
from open_orders import retention
from open_orders.job_status import JobStatus
from open_orders.retention_rules import Rule
from sandbox.progress import announce

# A month of all jobs' messages is in each partition.
_MONTH_DAYS = 30
_TIMES = 5
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Deletion:
    """How a month of messages went: rows, seconds, bytes of WAL, tables that nobody could read, seconds of vacuum."""

    rows: int
    seconds: float
    wal_mb: float
    locked: Sequence[str]
    vacuum_s: float


@dataclass(frozen=True)
class Reading:
    """What a page's statements cost: milliseconds of planning and of execution, blocks of 8 kB that were looked at."""

    planning_ms: float
    execution_ms: float
    blocks: int


@dataclass(frozen=True)
class Figures:
    """What was found with so much; readings of the plain and of the partitioned table, by page."""

    size: Size
    partitions: int
    converted_s: float
    readings: dict[str, tuple[Reading, Reading]]
    batches: Deletion
    drop: Deletion


def measure(size: Size) -> Figures:
    """Return how what pages ask, and deletions, do with and without partitions."""
    with data_directory(None) as directory, serve_pages(size, directory) as (server, postgres, orders):
        with announce("What pages ask of the messages"):
            asked = _trace(server, StatementLog(orders, postgres.data_dir / "log"), orders)
            plain = {name: _read(orders, statements) for name, statements in asked.items()}
        began = time.monotonic()
        with announce("Messages copied into a partition for each month"):
            orders.execute(load("partition_details"))
            orders.execute("VACUUM (ANALYZE) job_log_details")
        converted_s = time.monotonic() - began
        partitions = _scalar(orders, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'job_log_details'::regclass")
        readings = {name: (plain[name], _read(orders, statements)) for name, statements in asked.items()}
        with announce("A month deleted from both"):
            drop = _drop_month(orders)
            with _plain_table(orders):
                batches = _delete_month(orders)
    return Figures(size, partitions, converted_s, readings, batches, drop)


def _trace(server: ApiServer, log: StatementLog, orders: Connection) -> dict[str, list[Statement]]:
    """Return what each page asks of the messages, values and all; pages that ask nothing of them are left out."""
    beat(orders)
    with log.watch():
        demands = {page: trace_page(server, log, page, requests=1) for page in list_pages(orders)}
    asked = {
        f"{page.group}: {page.name}": [each for each in demand.statements if "job_log_details" in each.shape]
        for page, demand in demands.items()
    }
    return {name: statements for name, statements in asked.items() if statements}


def _read(orders: Connection, statements: Sequence[Statement]) -> Reading:
    """Return what the statements cost together, each at its best: what else the machine does shall not count."""
    found = [[_explain(orders, statement) for _ in range(_TIMES)] for statement in statements]
    return Reading(
        sum(min(reading.planning_ms for reading in times) for times in found),
        sum(min(reading.execution_ms for reading in times) for times in found),
        sum(times[-1].blocks for times in found),
    )


def _explain(orders: Connection, statement: Statement) -> Reading:
    [plan] = _scalar(orders, f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS, FORMAT JSON) {statement.text}")
    blocks = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return Reading(plan["Planning Time"], plan["Execution Time"], blocks)


def _drop_month(orders: Connection) -> Deletion:
    """Drop the second partition: the first one may be of a part of a month."""
    name = _scalar(
        orders,
        """SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'job_log_details'::regclass
           ORDER BY 1 OFFSET 1 LIMIT 1""",
    )
    rows = _scalar(orders, f"SELECT count(*) FROM {name}")  # noqa: S608 - a name of our own
    before, began = _read_wal(orders), time.monotonic()
    with orders.transaction():
        orders.execute(f"DROP TABLE {name}".encode())
        seconds = time.monotonic() - began
        locked = orders.execute(
            """SELECT DISTINCT relation::regclass::text FROM pg_locks JOIN pg_class ON pg_class.oid = relation
               WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock' AND relkind IN ('r', 'p')
                   AND relname IN ('job_logs', 'job_log_details') ORDER BY 1"""
        ).fetchall()
    return Deletion(rows, seconds, (_read_wal(orders) - before) / 1e6, [name for (name,) in locked], 0.0)


def _delete_month(orders: Connection) -> Deletion:
    """Delete the oldest month as the retention does; it keeps what failed runs said for longer."""
    oldest = _scalar(orders, "SELECT min(completed_at) FROM job_logs")
    days = (datetime.now(UTC) - oldest).days - _MONTH_DAYS
    rule = Rule("retention/details", "messages", days, {"status": int(JobStatus.SUCCESS)})
    orders.execute(
        "SELECT set_config(name, 'off', false) FROM unnest(%s::text[]) AS setting (name)",
        [list(retention.PLANS_WITHOUT_INDEX)],
    )
    before, began = _read_wal(orders), time.monotonic()
    rows = sum(batch.deleted for batch in retention.delete_batches(orders, rule))
    seconds, wal_mb = time.monotonic() - began, (_read_wal(orders) - before) / 1e6
    began = time.monotonic()
    orders.execute("VACUUM job_log_details")
    return Deletion(rows, seconds, wal_mb, [], time.monotonic() - began)


@contextmanager
def _plain_table(orders: Connection) -> Iterator[None]:
    """Give the plain table its name back for the block."""
    for source, target in (
        ("job_log_details", "job_log_details_partitioned"),
        ("job_log_details_plain", "job_log_details"),
    ):
        orders.execute(f"ALTER TABLE {source} RENAME TO {target}".encode())
    yield


def _read_wal(orders: Connection) -> int:
    return int(_scalar(orders, "SELECT (pg_current_wal_lsn() - '0/0')::bigint"))


def _scalar(orders: Connection, statement: str) -> Any:
    with orders.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement.encode()).fetchone()


def render(figures: Figures) -> str:
    """Return the section of the report."""
    size, batches, limit_s = figures.size, figures.batches, retention.TIME_LIMIT_S
    deletions = ["| a month | messages | seconds | WAL MB | vacuum afterwards s |", "|---|--:|--:|--:|--:|"]
    deletions += [
        f"| {what} | {found.rows:,} | {found.seconds:.3f} | {found.wal_mb:,.2f} | {found.vacuum_s:.2f} |"
        for what, found in (("deleted in batches", batches), ("its partition dropped", figures.drop))
    ]
    readings = [
        "| page | plain: planning ms | execution ms | blocks | partitions: planning ms | execution ms | blocks |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    readings += [
        f"| {name} | {' | '.join(f'{one.planning_ms:.2f} | {one.execution_ms:.2f} | {one.blocks:,}' for one in both)} |"
        for name, both in figures.readings.items()
    ]
    return "\n\n".join([
        f"## Partitions of `job_log_details`, {size.logs:,} job logs with {size.details:,} messages",
        f"{figures.partitions} partitions, one a month by `created_at`, with the plain table's indexes; copying took "
        f"{figures.converted_s:.0f} s. The batches are the retention's: as fast as here, an hourly run of at most "
        f"{limit_s:.0f} s deletes {batches.rows / batches.seconds * limit_s / 1e6:.1f} million messages. Dropping a "
        f"partition takes an exclusive lock on {' and '.join(f'`{name}`' for name in figures.drop.locked)}.",
        "\n".join(deletions),
        f"What pages ask of the messages, each statement at the best of {_TIMES} times, all of it in memory:",
        "\n".join(readings),
    ])  # fmt: skip

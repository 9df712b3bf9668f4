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
from bench.page_measurement import Timing, time_page
from bench.web_page_list import list_pages
from bench.web_pages import data_directory, serve_pages
from open_orders import retention
from open_orders.job_status import JobStatus
from open_orders.retention_rules import Rule
from sandbox.progress import announce

_GROUPS = ("list", "detail", "api")
# A month of all jobs' messages is in each partition.
_MONTH_DAYS = 30
_RETENTION_RUNS_A_DAY = 24
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
class Figures:
    """What was found with so much; the pages in the same order."""

    size: Size
    partitions: int
    converted_s: float
    plain: Sequence[Timing]
    partitioned: Sequence[Timing]
    batches: Deletion
    drop: Deletion

    @property
    def most_a_day(self) -> float:
        """How many messages a day the hourly retention can delete within its time limit."""
        return self.batches.rows / self.batches.seconds * retention.TIME_LIMIT_S * _RETENTION_RUNS_A_DAY


def measure(size: Size, requests: int) -> Figures:
    """Return how pages and deletions do with and without partitions."""
    with data_directory(None) as directory, serve_pages(size, directory) as (server, _, orders):
        plain = _time_pages(server, orders, requests)
        began = time.monotonic()
        with announce("Messages copied into a partition for each month"):
            orders.execute(load("partition_details"))
            orders.execute("VACUUM (ANALYZE) job_log_details")
        converted_s = time.monotonic() - began
        partitions = _scalar(orders, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'job_log_details'::regclass")
        partitioned = _time_pages(server, orders, requests)
        with announce("A month deleted from both"):
            drop = _drop_month(orders)
            with _plain_table(orders):
                batches = _delete_month(orders)
    return Figures(size, partitions, converted_s, plain, partitioned, batches, drop)


def _time_pages(server: ApiServer, orders: Connection, requests: int) -> list[Timing]:
    timings = []
    for page in list_pages(orders):
        if page.group in _GROUPS:
            beat(orders)
            timings.append(time_page(server, page, requests))
    return timings


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
    size = figures.size
    deletions = ["| a month | messages | seconds | WAL MB | vacuum afterwards s |", "|---|--:|--:|--:|--:|"]
    deletions += [
        f"| {what} | {found.rows:,} | {found.seconds:.3f} | {found.wal_mb:,.1f} | {found.vacuum_s:.1f} |"
        for what, found in (("deleted in batches", figures.batches), ("its partition dropped", figures.drop))
    ]
    pages = [
        "| page | plain: median ms | 95 % ms | partitions: median ms | 95 % ms | × plain |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    pages += [
        f"| {plain.page.group}: {plain.page.name} | {plain.median_ms:.0f} | {plain.p95_ms:.0f} "
        f"| {parted.median_ms:.0f} | {parted.p95_ms:.0f} | {parted.median_ms / plain.median_ms:.2f} |"
        for plain, parted in zip(figures.plain, figures.partitioned, strict=True)
    ]
    return "\n\n".join([
        f"## Partitions of `job_log_details`, {size.logs:,} job logs with {size.details:,} messages",
        f"{figures.partitions} partitions, one a month by `created_at`, with the plain table's indexes; copying took "
        f"{figures.converted_s:.0f} s. The batches are the retention's; with their speed its hourly run, of "
        f"{retention.TIME_LIMIT_S:.0f} s at most, keeps up with {figures.most_a_day:,.0f} messages a day. Dropping a "
        f"partition takes an exclusive lock on {' and '.join(f'`{name}`' for name in figures.drop.locked)}.",
        "\n".join(deletions),
        "\n".join(pages),
    ])  # fmt: skip

"""A database like one after years of work: job logs with their messages, and the open orders of the last sync."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

STATEMENTS = Path(__file__).with_name("sql")
# Details are inserted for so many logs at a time, so that a long fill shows how far it is.
LOGS_AT_ONCE = 100_000
# How many successes of the sync are newer than the log with the most messages: some weeks of them, so that a search in
# the newest messages does not end there.
NEWER_THAN_LARGEST = 6_000
MOST_WRITTEN = 10_000
SUCCESSES = "SELECT id FROM job_logs WHERE status = 2 AND job_name = 'sync_open_orders' ORDER BY id DESC"
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Size:
    """How much is in the database: logs, messages of a usual log and of the largest one, lines of open orders."""

    logs: int = 1_000_000
    details_per_log: int = 12
    largest_log: int = 100_000
    open_orders: int = 1_000_000

    @property
    def details(self) -> int:
        """All messages."""
        return (self.logs - 1) * self.details_per_log + self.largest_log


def fill(connection: Connection, size: Size, say: Callable[[str], None]) -> None:
    """Fill the migrated, empty tables, in one transaction, and analyze them; `say` is told what is done."""
    with connection.transaction():
        connection.execute(load("insert_job_logs"), {"logs": size.logs})
        say(f"{size.logs:,} job logs")
        _insert_details(connection, size, say)
        published = _scalar(connection, f"{SUCCESSES} LIMIT 1")
        for table in ("open_orders", "order_changes", "rejected_orders"):
            connection.execute(load(f"insert_{table}"), {"lines": size.open_orders, "job_log_id": published})
        touched = size.open_orders // 200
        connection.execute(
            """UPDATE job_logs SET total_after = %s, inserted = %s, updated = %s, deleted = %s, rejected = %s
               WHERE id = %s""",
            [size.open_orders, touched, touched, touched, size.open_orders // 100, published],
        )
        say(f"{size.open_orders:,} lines of open orders, with what the last syncs changed and rejected")
    # As autovacuum would have done it long ago, visibility map included.
    connection.execute("VACUUM (ANALYZE) job_logs, job_log_details, open_orders, open_order_changes, rejected_orders")
    say("vacuumed and analyzed")


def read_size(connection: Connection, expected: Size) -> Size:
    """Return how much there is; messages are not counted one by one, but taken as expected when there are as many.

    Or a few more: benches of pages that are open write some.
    """
    logs = _scalar(connection, "SELECT count(*) FROM job_logs")
    details = _scalar(connection, "SELECT coalesce(max(id), 0) FROM job_log_details")
    lines = _scalar(connection, "SELECT count(*) FROM open_orders")
    as_many = 0 <= details - expected.details <= MOST_WRITTEN
    if as_many and (logs, lines) == (expected.logs, expected.open_orders):
        return expected
    return Size(logs, details // max(logs, 1), 0, lines)


def find_largest(connection: Connection) -> int:
    """Return the id of the log with the most messages."""
    successes = _scalar(connection, "SELECT count(*) FROM job_logs WHERE status = 2 AND job_name = 'sync_open_orders'")
    return _scalar(connection, f"{SUCCESSES} OFFSET {min(NEWER_THAN_LARGEST, successes // 2)} LIMIT 1")


def beat(connection: Connection) -> None:
    """Give the sync that is under way a new heartbeat, as its step would every ten seconds."""
    connection.execute(
        """UPDATE job_logs SET heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
           WHERE id = (SELECT max(id) FROM job_logs WHERE status = 1)"""
    )


def renew_snapshot(connection: Connection, later_s: float = 0.000001) -> None:
    """Have the pages take the open orders for a new snapshot, so much later, of which nothing is known yet."""
    connection.execute(
        f"""UPDATE job_logs SET started_at = started_at + %(later)s, completed_at = completed_at + %(later)s
            WHERE id = ({SUCCESSES} LIMIT 1)""".encode(),  # noqa: S608 - a constant
        {"later": timedelta(seconds=later_s)},
    )


def load(name: str) -> bytes:
    """Return a statement of the directory `sql`."""
    return (STATEMENTS / f"{name}.sql").read_bytes()


def _insert_details(connection: Connection, size: Size, say: Callable[[str], None]) -> None:
    """Insert the messages, an even number for each log but the largest."""
    first = _scalar(connection, "SELECT min(id) FROM job_logs")
    largest = find_largest(connection)
    values = {"per_log": size.details_per_log, "largest": largest, "largest_messages": size.largest_log}
    # Foreign keys are not checked row by row: the messages come from the logs themselves.
    connection.execute("SET LOCAL session_replication_role = replica")
    with _indexes_dropped(connection, "job_log_details", say):
        for start in range(first, first + size.logs, LOGS_AT_ONCE):
            last = min(start + LOGS_AT_ONCE, first + size.logs) - 1
            connection.execute(load("insert_details"), {"first": start, "last": last, **values})
            say(f"messages of {last - first + 1:,} job logs")


@contextmanager
def _indexes_dropped(connection: Connection, table: str, say: Callable[[str], None]) -> Iterator[None]:
    """Build a table's indexes after the block, all at once, which takes a tenth of the time of row by row."""
    found = connection.execute(
        """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
           WHERE indrelid = %s::regclass AND NOT indisunique""",
        [table],
    ).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    for name, definition in found:
        connection.execute(definition)
        say(f"index {name}")


def _scalar(connection: Connection, statement: str) -> int:
    with connection.cursor(row_factory=scalar_row) as cursor:
        found: int | None = cursor.execute(statement.encode()).fetchone()
    if found is None:
        raise LookupError(f"Nothing found by: {statement}")
    return found

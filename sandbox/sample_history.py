"""A day of job logs as a sandbox has them that ran all day: for screenshots and for tests of the pages."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

DAY = timedelta(days=1)
INTERVAL = timedelta(minutes=5)
SUCCESS, ERROR = 2, 3
SEED = 3
# Of the day's runs, counted from its beginning.
FAILED = {61: "fetch", 62: "fetch", 190: "connect"}
REASONS = {
    "fetch": "SQL Server closed the connection after 4,200 rows",
    "connect": "SQL Server erp.example:1433/ERP does not answer: timed out after 15 s",
}
NEVER_STARTED = {130, 131, 132}
SLOW = {40, 240}

INSERT_LOG = """
    INSERT INTO job_logs (
        name, job_name, status, dag_id, run_id, trigger, started_at, completed_at, run_started_at, succeeded_at,
        heartbeat_at, created_at, updated_at, fetched, imported, rejected, inserted, updated, deleted, total_after,
        step, step_try, error_summary
    ) VALUES (
        %(name)s, 'sync_open_orders', %(status)s, 'sync_open_orders', %(run_id)s, 'scheduled', %(started_at)s,
        %(ended_at)s, %(started_at)s, %(succeeded_at)s, %(ended_at)s, %(started_at)s, %(ended_at)s,
        %(fetched)s, %(imported)s, %(rejected)s, %(inserted)s, %(updated)s, %(deleted)s, %(imported)s, %(step)s, 1,
        %(error_summary)s
    ) ON CONFLICT DO NOTHING RETURNING id
"""
INSERT_DETAIL = """
    INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message, created_at)
    VALUES (%s, %s, %s, 1, %s, %s)
"""


def add_day(connection: psycopg.Connection[Any]) -> None:
    """Add a day of scheduled runs, with failures and a gap, before the oldest job log there is; once."""
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    row = connection.execute("SELECT coalesce(min(created_at), now()) FROM job_logs").fetchone()
    until: datetime = row[0] if row else datetime.now(UTC)
    if datetime.now(UTC) - until >= DAY:
        return
    first = until.replace(minute=until.minute // 5 * 5, second=0, microsecond=0) - DAY
    with connection.transaction():
        for number in range(round(DAY / INTERVAL)):
            if number not in NEVER_STARTED:
                _add_run(connection, first + number * INTERVAL, number, chance)


def _add_run(connection: psycopg.Connection[Any], due: datetime, number: int, chance: random.Random) -> None:
    started_at = due + timedelta(seconds=1)
    failed_step = FAILED.get(number)
    took = timedelta(seconds=chance.lognormvariate(1.3, 0.15) * (6 if number in SLOW else 1))
    fetched, rejected = chance.randint(4_950, 5_050), chance.randint(2, 4)
    counts: dict[str, int | None] = {
        "fetched": fetched,
        "imported": fetched - rejected,
        "rejected": rejected,
        "inserted": chance.randint(3, 14),
        "updated": chance.randint(10, 60),
        "deleted": chance.randint(2, 12),
    }
    if failed_step:
        counts = dict.fromkeys(counts)
    reason = REASONS[failed_step] if failed_step else None
    row = connection.execute(
        INSERT_LOG,
        {
            "name": f"{started_at:%Y%m%d_%H%M%S}",
            "status": ERROR if failed_step else SUCCESS,
            "run_id": f"scheduled__{due.isoformat()}",
            "started_at": started_at,
            "ended_at": started_at + took,
            "succeeded_at": None if failed_step else started_at + took,
            "step": failed_step or "publish",
            "error_summary": f"{failed_step}: {reason}" if failed_step else None,
            **counts,
        },
    ).fetchone()
    if row is None:
        return
    said = list(_messages(counts, failed_step))
    with connection.cursor() as cursor:
        cursor.executemany(
            INSERT_DETAIL,
            [(row[0], *message, started_at + took * at / len(said)) for at, message in enumerate(said, 1)],
        )


def _messages(counts: dict[str, int | None], failed_step: str | None) -> Iterator[tuple[str, str, str]]:
    """Yield level, task and text of each message of a run."""
    yield "info", "connect", "Job started - sync_open_orders (scheduled)"
    yield "info", "connect", "Connecting to SQL Server erp.example:1433/ERP"
    if failed_step == "connect":
        yield "error", "connect", f"Attempt 3 of 3 failed: {REASONS['connect']}"
        return
    yield "info", "connect", "Connected: SQL Server 16.0 (0.08 s)"
    if failed_step == "fetch":
        yield "error", "fetch", f"Attempt 3 of 3 failed: {REASONS['fetch']}"
        return
    yield "info", "fetch", f"Fetched {counts['fetched']:,} orders in 0.6 s"
    yield "info", "truncate", "Truncated staging table"
    yield "info", "import_batches", f"Batch 1/1: imported {counts['imported']:,} orders"
    yield (
        "info",
        "publish",
        f"Published {counts['imported']:,} orders: {counts['inserted']} new, {counts['updated']} changed, "
        f"{counts['deleted']} closed, {counts['rejected']} rejected",
    )

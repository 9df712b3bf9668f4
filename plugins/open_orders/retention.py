"""Delete what is older than the settings keep, in batches, each a short transaction of its own.

A batch takes the rows it deletes and no others, skips what somebody else holds, and blocks no reader and no sync.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg.rows import class_row

from open_orders.job_log_hook import Connection, JobLogHook
from open_orders.retention_rules import Rule, describe_rules, retention_rules
from open_orders.settings import Settings
from open_orders.statements import load_statement

# Some tens of milliseconds of work, after which locks and the old versions of rows are let go.
BATCH_ROWS = 5_000
# A usual log has fewer than 25 messages, so that a batch of these is rarely cut off by the number of rows.
BATCH_LOGS = 200
# What is left then waits for the next run, within the task's execution_timeout.
TIME_LIMIT_S = 120.0
SAY_EVERY_S = 10.0
# A batch is a few rows of a large table, which only its indexes find at once. Out of date, as they are while much is
# deleted, statistics would let the planner read the whole table for each batch.
PLANS_WITHOUT_INDEX = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Batch:
    """What one batch deleted, whether there may be more, and where it ended."""

    deleted: int
    more: bool
    after_at: datetime
    after_id: int


def delete_expired(log: JobLogHook, settings: Settings, time_limit_s: float = TIME_LIMIT_S) -> int:
    """Delete what is older than what is kept until the time limit, say so in the job log, and return the rows."""
    started = time.monotonic()
    total = 0
    with log.connect("open_orders retention") as connection:
        connection.execute(
            "SELECT set_config(name, 'off', false) FROM unnest(%s::text[]) AS setting (name)",
            [list(PLANS_WITHOUT_INDEX)],
        )
        for rule in retention_rules(settings):
            deleted = 0
            rule_started = said = time.monotonic()
            for batch in delete_batches(connection, rule):
                deleted += batch.deleted
                now = time.monotonic()
                if batch.more and now - started >= time_limit_s:
                    log.detail(_words(rule, deleted, now - rule_started))
                    log.detail(f"Stopped after {now - started:.0f} s with more to delete: the next run goes on")
                    return total + deleted
                if now - said >= SAY_EVERY_S:
                    said = now
                    log.detail(f"Deleting {rule.what}: {deleted:,} so far")
            total += deleted
            if deleted:
                log.detail(_words(rule, deleted, time.monotonic() - rule_started))
    if not total:
        log.detail(f"Nothing is older than what is kept: {describe_rules(settings)}")
    return total


def delete_batches(connection: Connection, rule: Rule) -> Iterator[Batch]:
    """Delete what a rule doesn't keep, batch by batch, and yield each once it is committed."""
    before = datetime.now(UTC) - timedelta(days=rule.days)
    batch = Batch(deleted=0, more=True, after_at=BEFORE_ALL, after_id=0)
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        while batch.more:
            values = {
                **rule.values,
                "before": before,
                "rows": BATCH_ROWS,
                "logs": BATCH_LOGS,
                "after_at": batch.after_at,
                "after_id": batch.after_id,
            }
            # Planned anew each time: a plan for any values at all would not count on how few rows a batch has.
            found = cursor.execute(load_statement(rule.statement), values, prepare=False).fetchone()
            if found is None:
                return
            batch = found
            yield batch


def _words(rule: Rule, deleted: int, seconds: float) -> str:
    return f"Deleted {deleted:,} {rule.what}, older than {rule.days:,} days, in {seconds:.1f} s"

"""What is odd about a run although nothing is refused: each function returns warnings for the job log, in sentences."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from open_orders.contract import Contract
from open_orders.execution import Execution
from open_orders.guards import drop_in_words, drops_more, percent
from open_orders.settings import PARAMETERS, Settings, variable
from open_orders.source import Clocks
from open_orders.statements import load_statement
from open_orders.target import ChangedColumn, Published, Reconciliation, Target

Connection = psycopg.Connection[Any]
# Constants and no settings: nothing is refused by them, so nobody has to move them to get a run through.
REJECTED_SHARE = 0.1
RECENT_RUNS = 20
COMPARED_AT_LEAST = 5
TIMES_USUAL = 3
# Below this the difference is the machine's mood.
DIFFERENCE_S = 10.0


@dataclass(frozen=True)
class Usual:
    """How long an execution took so far, and what is usual: see `include/sql/job_log/select_usual.sql`."""

    duration_s: float
    compared: int
    usual_s: float | None
    runs: int
    largest: int | None


def unknown_parameters(given: Mapping[str, Any]) -> list[str]:
    """Say which parameters have no effect, as misspelt ones."""
    unknown = sorted(set(given) - set(PARAMETERS))
    if not unknown:
        return []
    return [f"Parameters without effect: {', '.join(unknown)}. The sync knows {', '.join(PARAMETERS)}"]


def wrong_clock(clocks: Clocks, connection: Connection, tolerance_s: int) -> list[str]:
    """Say by how much the SQL Server's clock differs from that of the orders database."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    now: datetime = row[0] if row else clocks.utc
    ahead_s = (clocks.utc - now).total_seconds() + time.monotonic() - clocks.read_at
    if abs(ahead_s) <= tolerance_s:
        return []
    way = "ahead of" if ahead_s > 0 else "behind"
    return [f"SQL Server's clock is {abs(ahead_s):,.0f} s {way} the orders database's: one of them is wrong"]


def future_rows(target: Target, clocks: Clocks, tolerance_s: int, latest: datetime | None) -> list[str]:
    """Say which landed rows were changed later than it is, by the ERP's own clock.

    latest: of their changes; when it is no later, the rows need not be searched. None: not known.
    """
    column = target.contract.last_change
    if column is None:
        return []
    local = clocks.local + timedelta(seconds=time.monotonic() - clocks.read_at)
    limit = local + timedelta(seconds=tolerance_s)
    if latest is not None and latest <= limit:
        return []
    future = target.find_future(limit)
    if future is None:
        return []
    return [
        f"{target.contract.count(future.rows)} changed later than it is by the ERP's own clock ({_minute(local)}), the "
        f"latest at {_minute(future.latest)} ({future.key}): check that clock, and {column.name} in the source query"
    ]


def changed_columns(changed: list[ChangedColumn]) -> list[str]:
    """Say which of the source's columns have another type than before."""
    return [
        f"Column {column.name} came as {column.before} since {_minute(column.since)} UTC, comes as {column.now} now: "
        "check the source query"
        for column in changed
    ]


def many_rejected(target: Target, landed: int, rejected: int) -> Iterator[str]:
    """Say that rows repeat a key, with an example, and that many others were rejected, with the usual reason."""
    if not rejected:
        return
    found = target.summarise_rejected()
    if found.duplicates:
        yield (
            f"{found.duplicates:,} of {landed:,} rows repeat the key of an earlier one and were rejected, e.g. "
            f"{found.duplicate}: a join in the source query may be the reason"
        )
    others = rejected - found.duplicates
    if others > REJECTED_SHARE * landed:
        yield (
            f"{others:,} of {landed:,} rows were rejected, {percent(others / landed)}; the most frequent reason: "
            f"{found.reason}"
        )


def used_overrides(
    done: Published,
    counts: Reconciliation,
    contract: Contract,
    execution: Execution,
    usual: Settings,
    parameters: Settings,
) -> Iterator[str]:
    """Say that the publish would have been refused without a parameter of the run, and who set it."""
    by = f"by {execution.triggered_by}" if execution.triggered_by else f"for this run ({execution.trigger})"
    if counts.fetched == 0:
        why = f"{variable('allow_empty', contract.table)} is set" if usual.allow_empty else f"allow_empty was set {by}"
        yield f"Published although the source returned no {contract.noun}s: {why}"
    elif drops_more(done, counts, usual.max_drop_share):
        yield (
            f"Published although {contract.count(done.deleted)} of {counts.published:,} disappeared, "
            f"{drop_in_words(done, counts)} (usual limit {percent(usual.max_drop_share)}): "
            f"max_drop_share={parameters.max_drop_share:g} was set {by}"
        )


def read_usual(connection: Connection, job_log_id: int, job_name: str, fetched: int) -> Usual:
    """Return what is usual for a job, as seen at the end of one of its executions."""
    values = {"job_log_id": job_log_id, "job_name": job_name, "runs": RECENT_RUNS, "fetched": fetched}
    with connection.cursor(row_factory=class_row(Usual)) as cursor:
        found = cursor.execute(load_statement("job_log/select_usual"), values).fetchone()
    return found or Usual(0, 0, None, 0, None)


def unusual_duration(usual: Usual, execution: Execution) -> list[str]:
    """Say that a run took much longer, or was over much sooner, than is usual for about as many rows."""
    # A run that was cleared repeats only some of its steps, or began long ago.
    if execution.clear_number or usual.usual_s is None or usual.compared < COMPARED_AT_LEAST:
        return []
    longer, shorter = sorted((usual.duration_s, usual.usual_s), reverse=True)
    if longer <= TIMES_USUAL * shorter or longer - shorter < DIFFERENCE_S:
        return []
    how = "longer" if usual.duration_s > usual.usual_s else "shorter"
    return [
        f"This run took {usual.duration_s:.1f} s, much {how} than usual: {usual.usual_s:.1f} s, the median of the last "
        f"{usual.compared} successes of about this size"
    ]


def slow_drop(
    usual: Usual, done: Published, counts: Reconciliation, contract: Contract, settings: Settings
) -> list[str]:
    """Say, in the run that passes the limit, that small drops together went beyond what one run may let disappear."""
    if usual.largest is None or drops_more(done, counts, settings.max_drop_share):
        return []
    least = (1 - settings.max_drop_share) * usual.largest
    if not done.total < least <= counts.published:
        return []
    return [
        f"{contract.table} went from {usual.largest:,} to {contract.count(done.total)} within {usual.runs + 1} runs, "
        f"none of which passed the limit of {percent(settings.max_drop_share)}: check the source if so many were not "
        "closed"
    ]


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"

"""The five steps of a sync as plain functions; hooks and settings are passed in.

Each is called inside `JobLogHook.step`, which reports what goes wrong, and each can be repeated after any kill.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.contract import Contract
from open_orders.errors import LandingLostError, ReconciliationError, SettingsError, SuspiciousSourceError
from open_orders.job_log_hook import JobLogHook
from open_orders.job_log_store import Counts
from open_orders.schema_version import check_revision
from open_orders.settings import Settings
from open_orders.source import open_source, read_source_query
from open_orders.source_connection import SourceAddress, ignored_extras
from open_orders.target import Published, Reconciliation, Target, evict_sessions


@dataclass(frozen=True)
class Guards:
    """When to refuse a publish: on an empty source, and when more than a share of the orders would disappear."""

    allow_empty: bool
    max_drop_share: float


def connect(log: JobLogHook, source: MsSqlHook, params: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Check that both databases answer and fit, and write down what this run does differently from the defaults."""
    changed = [f"{name}={value}" for name, value in params.items() if value != defaults.get(name, value)]
    if changed:
        log.detail(f"Parameters of this run: {', '.join(changed)} ({log.execution.origin})")
    address = SourceAddress.of(source.connection)
    if ignored := ignored_extras(source.connection):
        log.detail(f"Extras of the SQL Server connection without effect: {', '.join(ignored)}", "warning")
    log.detail(f"Connecting to SQL Server {address}")
    started = time.monotonic()
    with open_source(source) as session:
        version = session.read_version()
        log.detail(f"Connected: {version} ({time.monotonic() - started:.2f} s)")
    _check_orders_database(log)


def fetch(log: JobLogHook, source: MsSqlHook, contract: Contract, settings: Settings, batch_rows: int) -> int:
    """Stream the source query's rows into landing, and return their number once the server confirmed it."""
    statement = read_source_query(settings.source_sql)
    started = time.monotonic()
    with open_source(source) as session, _working(log, contract) as target, target.connection.transaction():
        session.be_a_good_guest(settings.source_lock_timeout_s)
        running = session.start(statement, contract)
        if running.extra_columns:
            log.detail(
                f"Columns that the contract doesn't have are ignored: {', '.join(running.extra_columns)}", "warning"
            )
        target.land(session.batches(running, batch_rows))
        fetched = session.confirm()
        log.advance(target.connection, Counts(fetched=fetched))
    log.detail(f"Fetched {contract.count(fetched)} in {time.monotonic() - started:.1f} s")
    return fetched


def truncate(log: JobLogHook, contract: Contract) -> None:
    """Empty staging."""
    with _working(log, contract) as target, target.connection.transaction():
        target.truncate_staging()
        log.advance(target.connection, Counts(imported=0, rejected=0))
    log.detail("Truncated staging table")


def import_batches(log: JobLogHook, contract: Contract) -> int:
    """Move landing to staging batch by batch, from the first unfinished one on; returns the rows imported in all."""
    with _working(log, contract) as target:
        batches = target.read_batches()
        _check_landing(target.reconcile(), contract)
        imported = sum(batch.imported or 0 for batch in batches)
        rejected = sum(batch.rejected or 0 for batch in batches)
        unfinished = [batch for batch in batches if batch.imported is None]
        if batches and unfinished and unfinished[0].batch_no > 1:
            log.detail(f"Resuming at batch {unfinished[0].batch_no}/{len(batches)}")
        for batch in unfinished:
            with target.connection.transaction():
                batch_imported, batch_rejected = target.import_batch(batch.batch_no)
                imported, rejected = imported + batch_imported, rejected + batch_rejected
                log.advance(target.connection, Counts(imported=imported, rejected=rejected))
            suffix = f", rejected {batch_rejected:,}" if batch_rejected else ""
            log.detail(
                f"Batch {batch.batch_no}/{len(batches)}: imported {contract.count(batch_imported)}{suffix}",
                "warning" if batch_rejected else "info",
            )
    return imported


def publish(log: JobLogHook, contract: Contract, guards: Guards) -> int:
    """Make staging the published table, in one transaction with the log's success; returns the rows published.

    A publish that an earlier attempt committed is recognised and not repeated.
    """
    if log.succeeded:
        log.detail("Already published by an earlier attempt: nothing to do")
        return 0
    with _working(log, contract) as target, target.connection.transaction():
        counts = target.reconcile()
        _check_landing(counts, contract)
        _check_sums(counts, contract)
        _check_source(counts, contract, guards)
        done = target.publish(counts)
        _check_drop(done, counts, contract, guards)
        log.detail(
            f"Published {contract.count(done.total)}: {done.inserted:,} new, {done.updated:,} changed, "
            f"{done.deleted:,} closed, {done.unchanged:,} unchanged, {counts.rejected:,} rejected",
            connection=target.connection,
        )
        log.succeed(
            Counts(
                fetched=counts.fetched,
                imported=counts.imported,
                rejected=counts.rejected,
                inserted=done.inserted,
                updated=done.updated,
                deleted=done.deleted,
                total_after=done.total,
            ),
            connection=target.connection,
        )
    return done.total


def read_guards(params: Mapping[str, Any]) -> Guards:
    """Return the guards of a run from its parameters; raises SettingsError for a value that isn't one."""
    share = params["max_drop_share"]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise SettingsError(f"Parameter max_drop_share={share!r}: expected a number from 0 to 1")
    return Guards(allow_empty=bool(params["allow_empty"]), max_drop_share=float(share))


@contextmanager
def _working(log: JobLogHook, contract: Contract) -> Iterator[Target]:
    """Yield the target for the attempt that holds the log; sessions of attempts before it are ended."""
    log.heartbeat()
    name = f"open_orders sync {contract.table}"
    with log.connect(name) as connection:
        if ended := evict_sessions(connection, name):
            log.detail(f"Ended {ended} session(s) left by an earlier attempt", "warning")
        yield Target(connection, contract, log.job_log_id)


def _check_orders_database(log: JobLogHook) -> None:
    connection = log.connection
    log.detail(f"Connecting to PostgreSQL {connection.host}:{connection.port or 5432}/{connection.schema}")
    started = time.monotonic()
    with log.connect("open_orders check") as session:
        revision = check_revision(session)
        version = session.info.server_version
    log.detail(
        f"Connected: PostgreSQL {version // 10000}.{version % 10000}, schema revision {revision} "
        f"({time.monotonic() - started:.2f} s)"
    )


def _check_landing(counts: Reconciliation, contract: Contract) -> None:
    if counts.fetched is None:
        raise LandingLostError("Nothing was fetched in this run: clear it from the task fetch on, or trigger a new one")
    if counts.landed != counts.fetched or counts.noted != counts.fetched or counts.batches == 0:
        raise LandingLostError(
            f"This run fetched {contract.count(counts.fetched)} but landing holds {counts.landed:,} of them: the "
            "orders database restarted, or a later run took its place. The next run fetches again"
        )


def _check_sums(counts: Reconciliation, contract: Contract) -> None:
    if counts.unfinished or counts.imported + counts.rejected != counts.landed or counts.staged != counts.imported:
        raise ReconciliationError(
            f"The numbers do not add up, nothing was published: {contract.count(counts.landed)} landed, "
            f"{counts.imported:,} imported, {counts.rejected:,} rejected, {counts.staged:,} in staging, "
            f"{counts.unfinished:,} batches unfinished. The next run starts afresh"
        )


def _check_source(counts: Reconciliation, contract: Contract, guards: Guards) -> None:
    if counts.fetched == 0 and not guards.allow_empty:
        raise SuspiciousSourceError(
            f"The source returned no {contract.noun}s; {_kept(counts, contract)}. If there are none, trigger a run "
            "with allow_empty"
        )
    if counts.fetched != 0 and counts.imported == 0:
        raise SuspiciousSourceError(
            f"Every row was rejected ({contract.count(counts.rejected)}); {_kept(counts, contract)}. See the rejected "
            "orders for the reasons"
        )


def _check_drop(done: Published, counts: Reconciliation, contract: Contract, guards: Guards) -> None:
    """Refuse a publish that lets too much disappear; raised in its transaction, which takes it back."""
    if counts.fetched == 0 or done.deleted <= guards.max_drop_share * counts.published:
        return
    share = done.deleted / counts.published
    raise SuspiciousSourceError(
        f"{contract.count(done.deleted)} of {counts.published:,} would disappear, {share:.0%} (limit "
        f"{guards.max_drop_share:.0%}): the source returned {contract.count(counts.landed)}, of which "
        f"{counts.rejected:,} were rejected; {_kept(counts, contract)}. If that is right, trigger a run with a higher "
        "max_drop_share"
    )


def _kept(counts: Reconciliation, contract: Contract) -> str:
    return f"{contract.table} keeps its {contract.count(counts.published)}"

"""The five steps of a sync as plain functions; hooks and settings are passed in.

Each is called inside `JobLogHook.step`, which reports what goes wrong, and each can be repeated after any kill.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders import suspicions
from open_orders.batch_import import import_side_by_side
from open_orders.column_types import ColumnTypes
from open_orders.contract import Contract
from open_orders.guards import check_drop, check_landing, check_published, check_source, check_sums
from open_orders.job_log_hook import Connection, JobLogHook
from open_orders.job_log_store import Counts
from open_orders.lineage import report_published, report_source
from open_orders.schema_version import check_revision, check_tables
from open_orders.settings import Settings, read_parameters, variable
from open_orders.source import Clocks, open_source, read_source_query
from open_orders.source_connection import SourceAddress, ignored_extras
from open_orders.source_driver import choose_driver
from open_orders.target import Published, Reconciliation, Target, evict_sessions


def connect(
    log: JobLogHook, source: MsSqlHook, contract: Contract, params: Mapping[str, Any], settings: Settings
) -> None:
    """Check that both databases answer and fit, and write down what this run does differently from the settings."""
    parameters, usual = read_parameters(params, settings).model_dump(), settings.model_dump()
    changed = [f"{name}={value}" for name, value in parameters.items() if value != usual[name]]
    if changed:
        log.detail(f"Parameters of this run: {', '.join(changed)} ({log.execution.origin})")
    _warn(log, suspicions.unknown_parameters(params))
    address = SourceAddress.of(source.connection)
    driver = choose_driver(source.connection)
    if ignored := ignored_extras(source.connection, driver.kind):
        log.detail(f"Extras of the SQL Server connection without effect: {', '.join(ignored)}", "warning")
    log.detail(f"Connecting to SQL Server {address} through {driver.name}")
    started = time.monotonic()
    with open_source(source, log.execution.time_limit_s, log.abandon) as session:
        version = session.read_version()
        log.detail(f"Connected: {version} ({time.monotonic() - started:.2f} s)")
        clocks = session.read_clocks()
    _check_orders_database(log, contract, clocks, settings.clock_tolerance_s)


def fetch(log: JobLogHook, source: MsSqlHook, contract: Contract, settings: Settings) -> int:
    """Stream the source query's rows into landing, and return their number once the server confirmed it."""
    statement = read_source_query(settings.source_sql, variable("source_sql", contract.table))
    started = time.monotonic()
    types = ColumnTypes(contract.names, contract.last_change.name if contract.last_change else None)
    with (
        open_source(source, log.execution.time_limit_s, log.abandon) as session,
        _working(log, contract) as target,
        target.connection.transaction(),
    ):
        session.be_a_good_guest(settings.source_lock_timeout_s)
        clocks = session.read_clocks()
        running = session.start(statement, contract)
        if running.extra_columns:
            log.detail(
                f"Columns that the contract doesn't have are ignored: {', '.join(running.extra_columns)}", "warning"
            )
        target.land(types.learn(session.batches(running, settings.batch_size)), settings.batch_size)
        fetched = session.confirm()
        warnings = suspicions.changed_columns(target.note_columns(types.found))
        warnings += suspicions.future_rows(target, clocks, settings.clock_tolerance_s, types.latest)
        log.advance(target.connection, Counts(fetched=fetched))
    log.detail(f"Fetched {contract.count(fetched)} in {time.monotonic() - started:.1f} s")
    _warn(log, warnings)
    report_source(log, source, statement)
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
        counts = target.count_landed()
        check_landing(counts, contract)
        if not counts.in_order:
            with target.connection.transaction():
                target.mark_duplicates()
                log.advance(target.connection)
        batches = target.read_batches(in_order=counts.in_order)
        imported = sum(batch.imported or 0 for batch in batches)
        rejected = sum(batch.rejected or 0 for batch in batches)
        unfinished = [batch for batch in batches if batch.imported is None]
        if batches and unfinished and unfinished[0].batch_no > 1:
            log.detail(f"Resuming at batch {unfinished[0].batch_no}/{len(batches)}")
        before = (imported, rejected)
        with import_side_by_side(log, target, _session_name(contract), unfinished, before) as done:
            for batch, (batch_imported, batch_rejected) in done:
                imported, rejected = imported + batch_imported, rejected + batch_rejected
                suffix = f", rejected {batch_rejected:,}" if batch_rejected else ""
                log.detail(
                    f"Batch {batch.batch_no}/{len(batches)}: imported {contract.count(batch_imported)}{suffix}",
                    "warning" if batch_rejected else "info",
                )
        _warn(log, suspicions.many_rejected(target, counts.landed, rejected))
    return imported


def publish(log: JobLogHook, contract: Contract, settings: Settings, parameters: Settings) -> int:
    """Make staging the published table, in one transaction with the log's success; returns the rows published.

    A publish that an earlier attempt committed is recognised and not repeated.
    """
    if log.succeeded:
        log.detail("Already published by an earlier attempt: nothing to do")
        return 0
    with _working(log, contract) as target, target.connection.transaction():
        counts = target.reconcile()
        check_landing(counts, contract)
        check_sums(counts, contract)
        check_source(counts, contract, parameters)
        done = target.publish(counts)
        check_published(done, counts, contract)
        check_drop(done, counts, contract, parameters)
        log.detail(
            f"Published {contract.count(done.total)}: {done.inserted:,} new, {done.updated:,} changed, "
            f"{done.deleted:,} closed, {done.unchanged:,} unchanged, {counts.rejected:,} rejected",
            connection=target.connection,
        )
        _warn_of_success(log, target, done, counts, settings, parameters)
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
    report_published(log, contract)
    return done.total


@contextmanager
def _working(log: JobLogHook, contract: Contract) -> Iterator[Target]:
    """Yield the target for the attempt that holds the log; sessions of attempts before it are ended."""
    log.heartbeat()
    name = _session_name(contract)
    with log.working(name) as connection:
        if ended := evict_sessions(connection, name):
            log.detail(f"Ended {ended} session(s) left by an earlier attempt", "warning", connection=connection)
        yield Target(connection, contract, log.job_log_id)


def _session_name(contract: Contract) -> str:
    """Return what the sessions of a sync are called, by which a later attempt finds them."""
    return f"open_orders sync {contract.table}"


def _check_orders_database(log: JobLogHook, contract: Contract, clocks: Clocks, clock_tolerance_s: int) -> None:
    connection = log.connection
    log.detail(f"Connecting to PostgreSQL {connection.host}:{connection.port or 5432}/{connection.schema}")
    started = time.monotonic()
    with log.working("open_orders check") as session:
        revision = check_revision(session)
        check_tables(session, contract)
        version = session.info.server_version
        warnings = suspicions.wrong_clock(clocks, session, clock_tolerance_s)
    log.detail(
        f"Connected: PostgreSQL {version // 10000}.{version % 10000}, schema revision {revision} "
        f"({time.monotonic() - started:.2f} s)"
    )
    _warn(log, warnings)


def _warn_of_success(
    log: JobLogHook,
    target: Target,
    done: Published,
    counts: Reconciliation,
    settings: Settings,
    parameters: Settings,
) -> None:
    """Write down, in the transaction of the publish, what is odd about it."""
    execution, contract = log.execution, target.contract
    _warn(log, suspicions.used_overrides(done, counts, contract, execution, settings, parameters), target.connection)
    usual = suspicions.read_usual(target.connection, log.job_log_id, execution.dag_id, counts.landed)
    _warn(log, suspicions.slow_drop(usual, done, counts, contract, settings), target.connection)
    _warn(log, suspicions.unusual_duration(usual, execution), target.connection)


def _warn(log: JobLogHook, sentences: Iterable[str], connection: Connection | None = None) -> None:
    for sentence in sentences:
        log.detail(sentence, "warning", connection=connection)

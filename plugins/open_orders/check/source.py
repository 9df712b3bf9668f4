"""Check the source: that SQL Server can be reached, and that each query meets its contract. Nothing is written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook
from psycopg import sql

from open_orders.check.findings import Finding, Outcome, good, note
from open_orders.check.orders_database import PIPELINE, connect
from open_orders.column_types import ColumnTypes
from open_orders.contract import Contract
from open_orders.masking import redact
from open_orders.settings import load_settings, variable
from open_orders.source import SourceSession, open_source, read_source_query
from open_orders.source_connection import SourceAddress, ignored_extras
from open_orders.source_driver import choose_driver
from open_orders.statements import load_statement
from open_orders.validation import reject_reason

ROWS = 5
# The connecting, the query's first rows and the comparing together.
TIME_LIMIT_S = 60.0
WIDTH = 18
Row = list[str | None]


@dataclass(frozen=True)
class Sample:
    """The first rows of a query as they would land, why some can't be stored, and which types their values had."""

    rows: list[Row]
    unstorable: list[str | None]
    types: dict[str, str]


def check_server(connection_name: str) -> Iterator[Finding]:
    """Check the connection to SQL Server."""
    hook = MsSqlHook(connection_name)
    address = SourceAddress.of(hook.connection)
    driver = choose_driver(hook.connection)
    if ignored := ignored_extras(hook.connection, driver.kind):
        yield note(f"Extras of the connection {connection_name} without effect: {', '.join(ignored)}")
    with open_source(hook, TIME_LIMIT_S, _give_up) as session:
        version = session.read_version()
    yield good(f"Connection {connection_name}: {version} at {address}, login {address.login}, through {driver.name}")


def check_query(connection_name: str, contract: Contract) -> Iterator[Finding]:
    """Check that a query can be run and meets its contract, by its first rows; it is not run to its end."""
    settings = load_settings(contract.table)
    statement = read_source_query(settings.source_sql, variable("source_sql", contract.table))
    with open_source(MsSqlHook(connection_name), TIME_LIMIT_S, _give_up) as session:
        session.be_a_good_guest(settings.source_lock_timeout_s)
        running = session.start(statement, contract)
        yield good(f"The query {settings.source_sql.name} has the {len(contract.names)} columns of {contract.table}")
        if running.extra_columns:
            yield note(f"Columns that the contract doesn't have are ignored: {', '.join(running.extra_columns)}")
        sample = _take(session, running, contract)
    if not sample.rows:
        yield note(
            f"The query {settings.source_sql.name} returns no rows",
            f"A sync refuses that, unless a run has allow_empty or {variable('allow_empty', contract.table)} is set",
        )
        return
    yield from _judge(contract, sample)


def _take(session: SourceSession, running: Any, contract: Contract) -> Sample:
    """Return the first rows. The session is closed on the others, which ends the query."""
    types = ColumnTypes(contract.names)
    batches = types.learn(session.batches(running, ROWS))
    first = next(batches, None)
    landed = [] if first is None else list(first.landed())
    if len(landed) < ROWS:
        # They are all: then it can also be seen that nothing comes behind them.
        next(batches, None)
        session.confirm()
    return Sample([texts for texts, _ in landed], [reason for _, reason in landed], types.found)


def _judge(contract: Contract, sample: Sample) -> Iterator[Finding]:
    reasons = _find_reasons(contract, sample)
    broken = [f"row {number}: {reason}" for number, reason in enumerate(reasons, start=1) if reason]
    table = tuple(_draw(contract, sample))
    count = "first row" if len(reasons) == 1 else f"first {len(reasons)} rows"
    if not broken:
        yield good(f"The {count} of {contract.table} would be imported as they are", *table)
    elif len(broken) < len(reasons):
        text = f"{len(broken)} of the {count} of {contract.table} would be rejected, the others imported"
        yield Finding(Outcome.NOTE, text, below=(*broken, *table))
    else:
        advice = "Change the query so that its values fit the columns exactly: round, trim and convert there"
        yield Finding(Outcome.FAILED, f"The {count} of {contract.table} would be rejected", advice, (*broken, *table))


def _find_reasons(contract: Contract, sample: Sample) -> list[str]:
    """Return for each row why it would be rejected, '' for a good one: by the rules of the import, in PostgreSQL."""
    names = contract.names
    rows = [
        dict(zip(names, row, strict=True)) | {"unstorable": reason}
        for row, reason in zip(sample.rows, sample.unstorable, strict=True)
    ]
    landed = list(contract.landing_columns())
    statement = load_statement("check/try_rows").format(
        reason=reject_reason(contract),
        columns=sql.SQL(", ").join(sql.Identifier(name) for name, _ in landed),
        typed_columns=sql.SQL(", ").join(sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in landed),
    )
    with connect(PIPELINE) as connection:
        return [row[0] for row in connection.execute(statement, {"rows": json.dumps(rows)}).fetchall()]


def _draw(contract: Contract, sample: Sample) -> Iterator[str]:
    """Yield the lines of a table: for each column its type, what it came as, and the values."""
    lines = [("column", "type", "came as", *(f"row {number}" for number in range(1, len(sample.rows) + 1)))]
    for position, column in enumerate(contract.columns):
        values = [_show(row[position]) for row in sample.rows]
        lines.append((column.name, column.type.pg_type, sample.types.get(column.name, "NULL"), *values))
    widths = [max(len(line[position]) for line in lines) for position in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _show(value: str | None) -> str:
    if value is None:
        return "NULL"
    shown = "".join(sign if sign.isprintable() else "·" for sign in value)
    return f"'{shown}'" if not shown.strip() else shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 1]}…"


def _give_up(reason: str) -> None:
    """End the process when the driver is beyond help, in the thread that notices it."""
    print(redact(f"{Outcome.FAILED.value} {reason}"), flush=True)
    sys.stderr.flush()
    os._exit(1)

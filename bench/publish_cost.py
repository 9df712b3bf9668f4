"""What a refresh costs the orders database when nothing, 1 % or all of the orders changed, beside truncate-and-insert.

The pipeline's own steps, from the truncation of staging to the publish: bytes of WAL, row versions left behind for
vacuum, seconds. The peer is a transaction that truncates a table like `open_orders` and inserts the same rows. The
figures go to bench/results/publish_cost.md; the exit code is 3 when an unchanged refresh does not cost next to nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from textwrap import dedent

import psycopg
from psycopg import sql

from bench.moving_rows import GOAL_MISSED, SMALL_ROWS, prepare
from bench.rows.contenders import Place
from bench.rows.lines import Lines
from bench.rows.ours import DRIVERS, run_syncs
from bench.rows.sync_report import COUNTED_FROM, STEPS, SyncFigures
from open_orders.contract import OPEN_ORDERS
from sandbox.progress import say

RESULTS = Path(__file__).with_name("results") / "publish_cost.md"
ROWS, ROUNDS = 100_000, 3
SHARES = (0.0, 0.01, 1.0)
# Durable as in production: full pages are part of the cost. Vacuum would tidy up what is to be counted.
SETTINGS = {"fsync": "off", "max_wal_size": "8GB", "autovacuum": "off"}
# An unchanged refresh may write this share of the WAL of truncate-and-insert: the job log and its messages.
MOST_UNCHANGED_SHARE = 0.01
PEER = "truncate and insert"
AFTER_LOAD = "this pipeline, 0% changed, the first after a load"
_COPY = "full_refresh"


@dataclass(frozen=True)
class Go:
    """What one refresh cost."""

    wal_bytes: int
    dead_rows: int
    seconds: float


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    tables = {share: Lines(options.rows, share) for share in SHARES}
    with prepare(list(tables.values()), SETTINGS) as place:
        goes = measure(place, tables, options.rounds)
        postgres = place.postgres.version
    unchanged = _median_wal(goes[name_share(0.0)]) / _median_wal(goes[PEER])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(render(goes, options.rows, options.rounds, postgres))
    say(f"  Report: {options.output}")
    mark = "✓" if unchanged <= MOST_UNCHANGED_SHARE else "✗"
    say(
        f"  {mark} an unchanged refresh writes {unchanged:.2%} of the WAL of {PEER}, at most {MOST_UNCHANGED_SHARE:.0%}"
    )
    return GOAL_MISSED if unchanged > MOST_UNCHANGED_SHARE else 0


def measure(place: Place, tables: dict[float, Lines], rounds: int) -> dict[str, list[Go]]:
    """Return the goes of each, in turn; before each refresh the table is brought back to the rows without changes."""
    goes: dict[str, list[Go]] = {name: [] for name in (*map(name_share, tables), AFTER_LOAD, PEER)}
    base = tables[0.0]
    for _ in range(rounds):
        turns = [lines for changed in tables.values() for lines in (base, changed)]
        # Who reads new rows first notes in each page that they are there to stay: that is a cost of the load.
        _load, after_load, *others = run_syncs(place, DRIVERS[0], [base, base, *turns]).syncs
        goes[AFTER_LOAD].append(_read(after_load))
        # Those in between bring the table back.
        for share, found in zip(tables, others[1::2], strict=True):
            goes[name_share(share)].append(_read(found))
        place.settle()
        goes[PEER].append(_truncate_and_insert(place))
    return goes


def _read(sync: SyncFigures) -> Go:
    counted = STEPS[STEPS.index(COUNTED_FROM) :]
    return Go(sync.cost.wal_bytes, sync.cost.dead_rows, sum(sync.steps[step] for step in counted))


def _truncate_and_insert(place: Place) -> Go:
    columns = sql.SQL(", ").join(map(sql.Identifier, (*OPEN_ORDERS.names, "first_job_log_id", "changed_job_log_id")))
    source, target = sql.Identifier(OPEN_ORDERS.table), sql.Identifier(_COPY)
    with psycopg.connect(place.orders, autocommit=True) as connection:
        make = sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE {} INCLUDING ALL)").format(target, source)
        connection.execute(make)
        began, before = time.monotonic(), _read_wal(connection)
        with connection.transaction():
            connection.execute(sql.SQL("TRUNCATE {}").format(target))
            connection.execute(sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM {2}").format(target, columns, source))
        return Go(_read_wal(connection) - before, 0, time.monotonic() - began)


def _read_wal(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT (pg_current_wal_lsn() - '0/0')::bigint").fetchone()
    return int(row[0]) if row else 0


def render(goes: dict[str, list[Go]], rows: int, rounds: int, postgres: int) -> str:
    """Return the report as Markdown."""
    introduction = dedent(f"""\
        # What a refresh costs the orders database

        Written by `bin/bench publish_cost` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. PostgreSQL {postgres} with
        `fsync` and autovacuum off, {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[1]:.1f} over
        the last five minutes.

        {rows:,} orders; medians of {rounds} rounds, each after a checkpoint. The pipeline's figures are of its steps
        from the truncation of staging to the publish, with its job log; "dead rows" are versions that updates and
        deletes left in any table. Who reads rows first after they were written notes in each page that their
        transaction succeeded; with data checksums, PostgreSQL 18's default, that goes into the WAL, once. The peer
        truncates a table like `open_orders` and inserts the same rows in one transaction, during which nobody reads
        it, and leaves that to the next reader, too.""")
    lines = ["| | WAL kB | dead rows | seconds |", "|---|--:|--:|--:|"]
    for name, found in goes.items():
        seconds, dead = median(go.seconds for go in found), median(go.dead_rows for go in found)
        lines.append(f"| {name} | {_median_wal(found) / 1000:,.0f} | {dead:,.0f} | {seconds:.2f} |")
    return f"{introduction}\n\n" + "\n".join(lines) + "\n"


def name_share(share: float) -> str:
    """Return what a refresh with this share of changes is called."""
    return f"this pipeline, {share:.0%} changed"


def _median_wal(goes: Sequence[Go]) -> float:
    return median(go.wal_bytes for go in goes)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench publish_cost", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, help=f"thousands of orders ({ROWS})")
    parser.add_argument("--rounds", type=int, help=f"goes of each ({ROUNDS})")
    parser.add_argument("--small", action="store_true", help="a few rows, once")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    options = parser.parse_args(arguments)
    options.rows = options.rows or (SMALL_ROWS if options.small else ROWS)
    options.rounds = options.rounds or (1 if options.small else ROUNDS)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

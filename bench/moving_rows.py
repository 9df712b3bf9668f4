"""Rows from SQL Server to PostgreSQL: this pipeline, what a user would take instead, and the limits, in turn.

An embedded PostgreSQL, and a stand-in SQL Server that replays encoded rows of the contract's columns; every contender
works in a process of its own, and what arrived is counted and summed up after each. The figures go to
bench/results/moving_rows.md; the exit code is 3 when a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import create_engine

from bench.moving_rows_report import Outcome, describe, judge, write_report
from bench.rows.contenders import ORDERS, PEERS, Contender, Place
from bench.rows.limits import list_freebcp, list_limits
from bench.rows.lines import WARM_UP, Lines
from bench.rows.measured_process import ContenderError
from bench.rows.ours import list_in_no_order, list_ours
from bench.rows.peers import list_generic_transfer, list_peers
from bench.rows.stand_in import run_stand_in
from open_orders.migrations.__main__ import migrate
from sandbox.debian import ProgramMissingError
from sandbox.postgres import EmbeddedPostgres
from sandbox.progress import announce, say

RESULTS = Path(__file__).with_name("results") / "moving_rows.md"
# Not 1, with which Python ends when something broke.
GOAL_MISSED = 3
ROWS, ROUNDS, SMALL_ROWS = (100_000, 1_000_000), 3, 1000
# Who is slower than this moves the rows once only.
PATIENCE_S = 20.0
# No disk is measured: nothing depends on when it has written.
SETTINGS = {"fsync": "off", "max_wal_size": "8GB"}


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    tables = [Lines(rows) for rows in options.rows]
    contenders = [each for each in choose(options.small) if any(part in each.name for part in options.only)]
    with prepare([*tables, *(replace(lines, in_order=False) for lines in tables)]) as place:
        outcomes = measure(place, contenders, tables, options.rounds)
        postgres = place.postgres.version
    goals = judge(outcomes)
    write_report(options.output, outcomes, goals, options.rounds, postgres)
    say(f"  Report: {options.output}")
    for goal in goals:
        say(f"  {goal}")
    return 0 if all(goal.is_met for goal in goals) else GOAL_MISSED


def choose(small: bool) -> list[Contender]:
    """Return the contenders; the small ones need no package that isn't among our own."""
    ours, limits = [*list_ours(), *list_in_no_order()], list_limits()
    return [*ours, *limits] if small else [*ours, *list_peers(), *list_generic_transfer(), *limits, *list_freebcp()]


def measure(place: Place, contenders: Sequence[Contender], tables: Sequence[Lines], rounds: int) -> list[Outcome]:
    """Return how each contender fared with each table; within a round each has its turn."""
    outcomes: list[Outcome] = []
    for lines in tables:
        found = [Outcome(contender, lines.rows) for contender in contenders]
        for _ in range(rounds):
            for outcome in found:
                if outcome.error is None and not (outcome.goes and outcome.seconds > PATIENCE_S):
                    _let_move(place, outcome, lines)
        outcomes += found
    return outcomes


@contextmanager
def prepare(tables: Sequence[Lines], settings: Mapping[str, str] = SETTINGS) -> Iterator[Place]:
    """Yield a PostgreSQL with an orders database and one for the peers, and a stand-in that has these tables."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        directory = Path(made)
        # PostgreSQL runs as another user when this one is root.
        directory.chmod(0o755)
        with EmbeddedPostgres(directory / "postgres", settings=settings) as postgres:
            for name in (ORDERS, PEERS):
                postgres.create_database(name)
            engine = create_engine(postgres.dsn(ORDERS).replace("postgresql://", "postgresql+psycopg://"))
            with announce("Tables migrated"), engine.connect() as connection:
                migrate(connection)
            engine.dispose()
            with run_stand_in(list({WARM_UP, *tables}), directory / "stand-in.log") as source:
                yield Place(postgres, source, directory)


def _let_move(place: Place, outcome: Outcome, lines: Lines) -> None:
    place.settle()
    try:
        outcome.goes.append(outcome.contender.move(place, lines))
    except (ContenderError, ProgramMissingError) as error:
        outcome.error = str(error)
    say(f"  {describe(outcome)}")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench moving_rows", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", help=f"thousands of rows ({' and '.join(map(str, ROWS))})")
    parser.add_argument("--rounds", type=int, help=f"goes of each contender ({ROUNDS})")
    parser.add_argument(
        "--only", nargs="+", default=[""], help="measure only contenders with one of these in their name"
    )
    parser.add_argument("--small", action="store_true", help="a few rows, once, by those that need no other package")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    options = parser.parse_args(arguments)
    options.rows = options.rows or ([SMALL_ROWS] if options.small else ROWS)
    options.rounds = options.rounds or (1 if options.small else ROUNDS)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

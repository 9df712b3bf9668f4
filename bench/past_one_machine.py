"""What a second machine would be for: a read replica for the pages, and partitions of `job_log_details` before that.

A hot standby of the embedded PostgreSQL, beside syncs from the stand-in that replays rows; then a long history in a
table with and without partitions. The figures go to bench/results/past_one_machine.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

from bench import partitions, replica
from bench.job_history import Size
from bench.moving_rows import SMALL_ROWS
from sandbox.postgres import BINARIES
from sandbox.progress import say

RESULTS = Path(__file__).with_name("results") / "past_one_machine.md"
ROWS, LOGS, REQUESTS = (100_000, 1_000_000), 1_000_000, 20
_SMALL_LOGS, _SMALL_REQUESTS = 30_000, 1
_DETAILS_PER_LOG, _MOST_OF_A_LOG = 12, 100_000


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    parts = []
    if options.only in ("", "replica"):
        parts += [replica.render(replica.measure(rows, options.requests)) for rows in options.rows]
    if options.only in ("", "partitions"):
        size = Size(options.logs, _DETAILS_PER_LOG, min(options.logs // 10, _MOST_OF_A_LOG), SMALL_ROWS)
        parts.append(partitions.render(partitions.measure(size)))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n\n".join([_introduction(), *parts]) + "\n")
    say(f"  Report: {options.output}")
    return 0


def _introduction() -> str:
    return dedent(f"""\
        # Past one machine

        Written by `bin/bench past_one_machine` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Python
        {platform.python_version()}, Airflow {version("apache-airflow")}, PostgreSQL {max(BINARIES)} with `fsync` off,
        {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[1]:.1f} over the last five minutes. All
        of it on one machine: it shows what each costs and what it doesn't do, not what a second processor brings.""")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench past_one_machine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", help=f"thousands of orders ({' and '.join(map(str, ROWS))})")
    parser.add_argument("--logs", type=int, help=f"job logs ({LOGS})")
    parser.add_argument("--requests", type=int, help=f"timed requests of each page beside the replica ({REQUESTS})")
    parser.add_argument("--only", default="", choices=["replica", "partitions"], help="one part, for a try")
    parser.add_argument("--small", action="store_true", help="few rows and logs, once")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    options = parser.parse_args(arguments)
    options.rows = options.rows or ([SMALL_ROWS] if options.small else ROWS)
    options.logs = options.logs or (_SMALL_LOGS if options.small else LOGS)
    options.requests = options.requests or (_SMALL_REQUESTS if options.small else REQUESTS)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

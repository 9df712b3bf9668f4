"""Server time of Job Logs and Open Orders with 1,000,000 job logs and 12,000,000 messages, with the query plans.

An embedded PostgreSQL is migrated and filled, a real api-server asked over HTTP with the session of a browser. The
figures go to bench/results/web_pages.md; the exit code is 3 when 95 % of the answers of any page or API call did not
come within 100 ms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import psycopg

from bench.api_server import ApiServer
from bench.job_history import beat, renew_snapshot
from bench.page_database import add_size_options, data_directory, serve_pages, size_of
from bench.page_measurement import time_page, trace_page
from bench.query_plans import explain_once
from bench.statement_log import StatementLog
from bench.web_page_list import list_pages
from bench.web_pages_report import BUDGET_MS, Measurement, describe, over_budget, write_report
from sandbox.progress import announce, say

# Not 1, with which Python ends when something broke.
OVER_BUDGET = 3
RESULTS = Path(__file__).with_name("results") / "web_pages.md"


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    size = size_of(options)
    with data_directory(options.keep) as directory, serve_pages(size, directory) as (server, postgres, orders):
        measurements = _measure(server, StatementLog(orders, postgres.data_dir / "log"), orders, options)
    write_report(options.output, size, measurements, postgres.version)
    say(f"  Report: {options.output}")
    slow = over_budget([measurement.timing for measurement in measurements])
    for timing in slow:
        say(f"  ✗ expected 95 % within {BUDGET_MS} ms: {describe(timing)}")
    return OVER_BUDGET if slow else 0


def _measure(
    server: ApiServer, log: StatementLog, orders: psycopg.Connection[Any], options: argparse.Namespace
) -> list[Measurement]:
    """Return the figures of all pages; they are timed first, while the server does not log their statements."""
    pages = [page for page in list_pages(orders) if options.only in f"{page.group}, {page.name}"]
    timings = []
    for page in pages:
        beat(orders)
        timings.append(time_page(server, page, options.requests, lambda: renew_snapshot(orders)))
        say(f"  {describe(timings[-1])}")
    beat(orders)
    with announce("Statements of each page"), log.watch():
        demands = [trace_page(server, log, page, options.requests, lambda: renew_snapshot(orders)) for page in pages]
    with announce("Query plans"):
        explained = explain_once(orders, demands)
    return [Measurement(*parts) for parts in zip(timings, demands, explained, strict=True)]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench web_pages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.add_argument("--requests", type=int, default=40, help="timed requests of each page (%(default)s)")
    parser.add_argument("--only", default="", help="measure only pages with this in their name")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

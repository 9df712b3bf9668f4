"""The report of bench/web_pages.py: the figures as a table, then the query plans."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from textwrap import dedent

from bench.job_history import Size
from bench.page_database import MOST_DAG_RUNS
from bench.page_measurement import COMPLETE_EVERY_S, Demand, Timing
from bench.query_plans import Explained
from bench.web_page_list import PEER, PEER_NAME

BUDGET_MS = 100
KEYWORDS = re.compile(r" (FROM|LEFT OUTER JOIN|JOIN|WHERE|GROUP BY|ORDER BY|LIMIT|UNION ALL) ")
MOST_COLUMNS = 300


@dataclass(frozen=True)
class Measurement:
    """All about a page; explained: the plans of its statements, those of earlier pages left out."""

    timing: Timing
    demand: Demand
    explained: Explained


def over_budget(timings: Sequence[Timing]) -> list[Timing]:
    """Return the pages and API calls whose first answer takes too long."""
    return [timing for timing in timings if timing.p95_ms > BUDGET_MS]


def describe(timing: Timing) -> str:
    """Return a page's times in a line."""
    page = f"{timing.page.group}, {timing.page.name}"
    complete = f", complete {median(timing.complete_ms):.0f} ms" if timing.complete_ms else ""
    return f"{page:<76} {timing.median_ms:6.0f} ms, 95 % {timing.p95_ms:6.0f} ms{complete}, {timing.ratio:5.2f} × peer"


def write_report(path: Path, size: Size, measurements: Sequence[Measurement], postgres: int) -> None:
    """Write the report as Markdown."""
    parts = [_introduction(size, [m.timing for m in measurements], postgres), _table(measurements)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join([*parts, _plans(measurements)]) + "\n")


def _introduction(size: Size, timings: Sequence[Timing], postgres: int) -> str:
    requests = min(len(timing.times_ms) for timing in timings)
    slow = over_budget(timings)
    names = ", ".join(f"{timing.page.group}: {timing.page.name}" for timing in slow)
    outcome = f"{len(slow)} of {len(timings)} do not ({names})" if slow else f"all {len(timings)} do"
    return dedent(f"""\
        # Server time of the pages

        Written by `bin/bench web_pages` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Python {platform.python_version()},
        Airflow {version("apache-airflow")}, PostgreSQL {postgres} with 128 MB of shared buffers and `fsync` off,
        {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[1]:.1f} over the last five minutes.

        {size.logs:,} job logs with {size.details:,} messages, {size.largest_log:,} of them in one log, and
        {size.open_orders:,} lines of open orders. One api-server, one user with the role Admin, one request at a time
        over HTTP with the session cookie, at least {requests} of each page after a warm-up. The time is the whole
        request as the client sees it, Airflow's session and permission checks included. "Least" is the request that
        other programs on the machine disturbed least; "CPU" is the api-server's processor time; "queries" are those to
        the orders database + those to Airflow's; "database" is what PostgreSQL says that it spent on the former, in the
        mean.

        "Anew" is asked of a new snapshot each time, of which the server remembers nothing, as if a sync had just
        published. What such a page does not have within some hundredths of a second it leaves out and says so; an open
        page then asks again every {COMPLETE_EVERY_S} s. "Complete" is the median time until everything was there,
        asked as often. Its queries and database time are of all these requests and of what was worked out beside them.

        The peer is {PEER_NAME}, `GET {PEER}`, in the same api-server
        on {min(size.logs, MOST_DAG_RUNS):,} runs, asked in turn with the page; below 1.00 the page is the faster one.

        Of every page and API call 95 % of the answers should be there within {BUDGET_MS} ms: {outcome}.""")


def _table(measurements: Sequence[Measurement]) -> str:
    lines = [
        "| page | least ms | median ms | 95 % ms | complete ms | peer's median ms | × peer | CPU ms | queries "
        "| database ms | kB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for measurement in measurements:
        timing, demand = measurement.timing, measurement.demand
        mark = " **over**" if over_budget([timing]) else ""
        complete = f"{median(timing.complete_ms):.0f}" if timing.complete_ms else ""
        lines.append(
            f"| {timing.page.group}: {timing.page.name}{mark} "
            f"| {min(timing.times_ms):.1f} | {timing.median_ms:.1f} | {timing.p95_ms:.1f} | {complete} "
            f"| {timing.peer_ms:.1f} | {timing.ratio:.2f} | {timing.cpu_ms:.1f} "
            f"| {demand.queries:g} + {demand.airflow_queries:g} | {demand.database_ms:.1f} "
            f"| {timing.size / 1000:,.0f} |"
        )
    return "\n".join(lines)


def _plans(measurements: Sequence[Measurement]) -> str:
    parts = [
        "# Query plans\n\nOf each statement that the pages executed, once: below the first page that did. "
        "The values are those that the page sent; the plan is of one more execution."
    ]
    for measurement in measurements:
        page = measurement.timing.page
        if measurement.explained:
            parts.append(f"## {page.group}: {page.name}\n\n`{page.urls[0]}`")
        for statement, plan in measurement.explained:
            parts.append(f"```sql\n{_layout(statement.text)}\n```\n\n```\n{_shorten(plan)}\n```")
    return "\n\n".join(parts)


def _layout(text: str) -> str:
    """Return a statement with a line for each clause, a long list of columns or values cut short."""
    return _shorten(KEYWORDS.sub(lambda found: f"\n{found[1]} ", " ".join(text.split())))


def _shorten(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(line if len(line) <= MOST_COLUMNS else f"{line[:MOST_COLUMNS]} …" for line in lines)

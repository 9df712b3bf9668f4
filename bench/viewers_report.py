"""The report of bench/viewers.py, and what is wanted of its figures."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from textwrap import dedent

from airflow.configuration import conf

from bench.api_server import METADATA
from bench.job_history import Size
from bench.page_database import DATABASE
from open_orders.web.database import POOLS

HEALTH = "/api/v2/monitor/health"
BUDGET_MS = 100
# Airflow's own components and load balancers ask it and take a second or more for a sign of trouble.
HEALTH_BUDGET_MS = 100


@dataclass
class Connections:
    """The most connections that were seen at once, to each database."""

    most: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def note(self, found: Mapping[tuple[str, str], int]) -> None:
        """Take what was seen at one moment: how many of each database and program."""
        together: defaultdict[str, int] = defaultdict(int)
        for (database, _), count in found.items():
            together[database] += count
        for database, count in together.items():
            self.most[database] = max(self.most[database], count)


@dataclass(frozen=True)
class Load:
    """What was measured in one go: the milliseconds of each kind of request, and the processors the server used."""

    times_ms: Mapping[str, Sequence[float]]
    processors: float
    connections: Connections


def bounds() -> dict[str, int]:
    """Return how many connections one api-server process may have to each database, as it is configured."""
    airflow = conf.getint("database", "sql_alchemy_pool_size", fallback=5) + conf.getint(
        "database", "sql_alchemy_max_overflow", fallback=10
    )
    # Airflow has a pool for its synchronous code and one for the asynchronous; Flask-AppBuilder uses the former.
    return {DATABASE: sum(most for _, most in POOLS.values()), METADATA: 2 * airflow}


def problems(quiet: Load, busy: Load) -> list[str]:
    """Return what is not as wanted."""
    return [*_slow(busy), *_unbounded("without viewers", quiet), *_unbounded("with viewers", busy)]


def _slow(busy: Load) -> Iterator[str]:
    for name, times in busy.times_ms.items():
        budget = HEALTH_BUDGET_MS if name == HEALTH else BUDGET_MS
        if p95(times) > budget:
            yield f"{name}: expected 95 % within {budget} ms, found {p95(times):.0f} ms"


def _unbounded(when: str, load: Load) -> Iterator[str]:
    for database, most in bounds().items():
        found = load.connections.most[database]
        if found > most:
            yield f"database {database} {when}: expected at most {most} connections, found {found}"


def p95(times: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]


def describe(quiet: Load, busy: Load) -> list[str]:
    """Return the figures in some lines."""
    health = [f"{median(load.times_ms[HEALTH]):.0f} / {p95(load.times_ms[HEALTH]):.0f} ms" for load in (quiet, busy)]
    most = busy.connections.most
    return [
        f"{HEALTH}, median / 95 %: without viewers {health[0]}, with viewers {health[1]}",
        *(
            f"{name}: {median(times):.0f} / {p95(times):.0f} ms"
            for name, times in busy.times_ms.items()
            if name != HEALTH
        ),
        *(f"connections to {database}: {most[database]} of at most {bound}" for database, bound in bounds().items()),
        f"processors that the api-server used: {quiet.processors:.2f}, with viewers {busy.processors:.2f}",
    ]


def write_report(path: Path, size: Size, viewers: int, quiet: Load, busy: Load, postgres: int) -> None:
    """Write the report as Markdown."""
    found = problems(quiet, busy)
    outcome = "\n".join(f"- {problem}" for problem in found) if found else "All of that holds."
    head = dedent(f"""\
        # Many viewers at once

        Written by `bin/bench viewers` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Python {platform.python_version()},
        Airflow {version("apache-airflow")}, PostgreSQL {postgres} with 128 MB of shared buffers and `fsync` off,
        {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} in the last minute: PostgreSQL, the
        api-server (one process) and the program that plays the viewers share them.

        {size.logs:,} job logs with {size.details:,} messages, {size.open_orders:,} lines of open orders.
        {viewers} viewers with a page open, each asking what its scripts ask, as often. Three in ten each have open the
        list of job logs, the log of a run that writes a message each second, and the open orders with filters and sorts
        that differ; one in ten Airflow's home page with our panel. New open orders are published meanwhile,
        and everybody who looks at them follows the link to the newer ones at once. Airflow's health endpoint is asked
        ten times a second all the while.

        Wanted: Airflow's health endpoint answers 95 % within {HEALTH_BUDGET_MS} ms, our pages and API within
        {BUDGET_MS} ms, and there are no more connections than the pools of one api-server process may have.
        """)
    text = "\n\n".join([head.rstrip(), outcome, _times(quiet, busy), _connections(quiet, busy)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def _times(quiet: Load, busy: Load) -> str:
    lines = ["| request | requests | median ms | 95 % ms | slowest ms |", "|---|--:|--:|--:|--:|"]
    health = [("without viewers", quiet.times_ms[HEALTH]), ("with viewers", busy.times_ms[HEALTH])]
    rows = [(f"Airflow's health endpoint, {when}", times) for when, times in health]
    rows += [(name, times) for name, times in sorted(busy.times_ms.items()) if name != HEALTH]
    lines += [
        f"| {name} | {len(times):,} | {median(times):.1f} | {p95(times):.1f} | {max(times):.1f} |"
        for name, times in rows
    ]
    return "\n".join(lines)


def _connections(quiet: Load, busy: Load) -> str:
    lines = ["| | without viewers | with viewers | at most |", "|---|--:|--:|--:|"]
    for database, bound in bounds().items():
        found = [load.connections.most[database] for load in (quiet, busy)]
        lines.append(f"| connections to the database {database} | {found[0]} | {found[1]} | {bound} |")
    lines.append(f"| processors used by the api-server | {quiet.processors:.2f} | {busy.processors:.2f} | |")
    return "\n".join(lines)

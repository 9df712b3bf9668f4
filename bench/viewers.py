"""How Airflow's api-server bears 50 people with a page open: its own health endpoint, our pages, database connections.

A real api-server on the filled database, asked over HTTP as the scripts of open pages ask, while a run writes messages
and a sync publishes. The report goes to bench/results/viewers.md; the exit code is 3 when Airflow's health endpoint
or a page answers 95 % later than wanted, or there are more connections than the configuration promises.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bench.api_server import ApiServer
from bench.job_history import beat, renew_snapshot
from bench.page_database import add_size_options, data_directory, serve_pages, size_of
from bench.page_scripts import Viewer, follow_job_log, view_home, view_job_logs, view_open_orders
from bench.viewers_report import HEALTH, Connections, Load, describe, problems, write_report
from sandbox.postgres import EmbeddedPostgres
from sandbox.progress import announce, say

OVER_LIMIT = 3
RESULTS = Path(__file__).with_name("results") / "viewers.md"
HEALTH_EVERY_S = 0.1
# People do not open their pages at the same moment.
OPENING_S = 10.0
MESSAGE_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 10.0
CONNECTIONS_EVERY_S = 0.2
# What readers of the open orders look at: all, and filters and sorts.
QUERIES = ("", "?overdue=1", "?warehouse=NORTH", "?q=ITEM-%d", "?sort=-amount_open", "?customer=C1%d")


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    size = size_of(options)
    with data_directory(options.keep) as directory, serve_pages(size, directory) as (server, postgres, orders):
        _warm_up(server, orders)
        with announce(f"Airflow's health endpoint without viewers ({options.seconds} s)"):
            quiet = asyncio.run(_measure(postgres, orders, server, 0, options.seconds))
        with announce(f"With {options.viewers} viewers ({options.seconds} s)"):
            busy = asyncio.run(_measure(postgres, orders, server, options.viewers, options.seconds))
    write_report(options.output, size, options.viewers, quiet, busy, postgres.version)
    for line in describe(quiet, busy):
        say(f"  {line}")
    say(f"  Report: {options.output}")
    found = problems(quiet, busy)
    for problem in found:
        say(f"  ✗ {problem}")
    return OVER_LIMIT if found else 0


def _warm_up(server: ApiServer, orders: psycopg.Connection[Any]) -> None:
    """Ask for each page once: the server imports what it needs when it is asked first."""
    for url in (HEALTH, "/job_logs/", f"/job_logs/{_running(orders)}", "/job_logs/api/panel", "/open_orders/"):
        server.browser.get(url).raise_for_status()


def _running(orders: psycopg.Connection[Any]) -> str:
    """Return the name of the log that is under way; raises LookupError."""
    row = orders.execute("SELECT name FROM job_logs WHERE status = 1 ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        raise LookupError("No job log is under way: ask for two or more")
    return str(row[0])


async def _measure(
    postgres: EmbeddedPostgres, orders: psycopg.Connection[Any], server: ApiServer, viewers: int, seconds: int
) -> Load:
    """Return what so many viewers saw, and Airflow's health endpoint beside them, in so many seconds."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    connections = Connections()
    running = _running(orders)
    used_s, began = server.cpu_s(), time.monotonic()
    async with httpx.AsyncClient(
        base_url=server.browser.base_url, cookies=server.browser.cookies, timeout=60, trust_env=False,
        limits=httpx.Limits(max_connections=None),
    ) as browser:  # fmt: skip
        viewer = Viewer(browser, lambda name, ms: times[name].append(ms))
        work: list[Coroutine[Any, Any, None]] = [_open(viewer, number, running) for number in range(viewers)]
        work += [_ask_health(viewer), _watch(postgres, connections)]
        work += [_write_messages(orders), _publish(orders, seconds)] if viewers else []
        await _run_for(seconds, work)
    return Load(times, (server.cpu_s() - used_s) / (time.monotonic() - began), connections)


async def _run_for(seconds: int, work: list[Coroutine[Any, Any, None]]) -> None:
    """Let all go on for so long; raises what one of them raised."""
    tasks = [asyncio.create_task(part) for part in work]
    done, going_on = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in going_on:
        task.cancel()
    await asyncio.gather(*going_on, return_exceptions=True)
    for task in done:
        task.result()


async def _open(viewer: Viewer, number: int, running: str) -> None:
    """Be one viewer: in ten there are three of the job logs, of the running log, of the open orders, one at home."""
    await asyncio.sleep(random.Random(number).uniform(0, OPENING_S))  # noqa: S311 - no secret
    kind = number % 10
    if kind < 3:
        await view_job_logs(viewer)
    elif kind < 6:
        await follow_job_log(viewer, running)
    elif kind < 9:
        query = QUERIES[number % len(QUERIES)]
        await view_open_orders(viewer, query.replace("%d", str(100 + number)))
    else:
        await view_home(viewer)


async def _ask_health(viewer: Viewer) -> None:
    while True:
        await viewer.ask(HEALTH, HEALTH, "application/json")
        await asyncio.sleep(HEALTH_EVERY_S)


async def _write_messages(orders: psycopg.Connection[Any]) -> None:
    """Be the run that is under way: a message each second, and heartbeats."""
    beaten = 0.0
    while True:
        if time.monotonic() > beaten + HEARTBEAT_EVERY_S:
            beat(orders)
            beaten = time.monotonic()
        orders.execute(
            """INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message)
               SELECT max(id), 'info', 'import_batches', 1, 'Batch 7/400: imported 2,500 orders'
               FROM job_logs WHERE status = 1"""
        )
        await asyncio.sleep(MESSAGE_EVERY_S)


async def _publish(orders: psycopg.Connection[Any], seconds: int) -> None:
    """Have new open orders published when everybody has opened their page, and once more."""
    while True:
        await asyncio.sleep(max(seconds - OPENING_S, OPENING_S) / 2)
        renew_snapshot(orders, 1)


async def _watch(postgres: EmbeddedPostgres, connections: Connections) -> None:
    """Count the connections to each database, this one's and the bench's own left out."""
    statement = """SELECT datname, application_name, count(*) FROM pg_stat_activity
                   WHERE backend_type = 'client backend' AND application_name <> 'bench' GROUP BY 1, 2"""
    async with await psycopg.AsyncConnection.connect(
        postgres.dsn(), autocommit=True, application_name="bench"
    ) as watching:
        while True:
            found = await (await watching.execute(statement)).fetchall()
            connections.note({(str(database), str(name)): int(count) for database, name, count in found})
            await asyncio.sleep(CONNECTIONS_EVERY_S)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench viewers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.add_argument("--viewers", type=int, default=50, help="people with a page open (%(default)s)")
    parser.add_argument("--seconds", type=int, default=90, help="how long, without and with them (%(default)s)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

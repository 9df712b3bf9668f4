"""How fast files are downloaded, and what memory the api-server takes for them.

A real api-server on the filled database: the open orders as CSV and as an Excel file, all of them and some, and the
largest job log as text, beside `COPY … TO STDOUT` of the same rows in the same run. The report goes to
bench/results/exports.md; the exit code is 3 when a CSV or text file takes memory that grows with its rows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import psycopg

from bench.api_server import ApiServer
from bench.exports_report import Download, Limit, describe, growing, write_report
from bench.job_history import find_largest
from bench.page_database import add_size_options, data_directory, serve_pages, size_of
from sandbox.progress import announce, say

OVER_LIMIT = 3
RESULTS = Path(__file__).with_name("results") / "exports.md"
MEMORY_EVERY_S = 0.02
TIMEOUT_S = 900


@dataclass(frozen=True)
class File:
    """Something to download: its address, and the select that has the same rows."""

    name: str
    url: str
    select: str
    streamed: bool = True


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    size = size_of(options)
    with data_directory(options.keep) as directory, serve_pages(size, directory) as (server, postgres, orders):
        # What the server imports for the first download is no memory of a download.
        _read(server, "/open_orders/export.csv?q=nothing")
        _read(server, "/open_orders/export.xlsx?q=nothing")
        found = []
        for file in list_files(orders):
            with announce(file.name):
                found.append((measure_download(server, file), _copy(orders, file)))
            say(f"  {describe(*found[-1])}")
    write_report(options.output, size, found, postgres.version)
    say(f"  Report: {options.output}")
    problems = growing([download for download, _ in found])
    for problem in problems:
        say(f"  ✗ {problem}")
    return OVER_LIMIT if problems else 0


def list_files(orders: psycopg.Connection[Any]) -> list[File]:
    """Return what is downloaded, the smaller file of each kind first."""
    largest = find_largest(orders)
    name = orders.execute("SELECT name FROM job_logs WHERE id = %s", [largest]).fetchone()
    rows = "SELECT * FROM open_orders {} ORDER BY order_number, line_number"
    some = "WHERE warehouse = 'NORTH'"
    csv, xlsx = "/open_orders/export.csv", "/open_orders/export.xlsx"
    return [
        File("CSV, one warehouse", f"{csv}?warehouse=NORTH", rows.format(some)),
        File("CSV, all", csv, rows.format("")),
        File(
            "CSV, all, sorted by amount",
            f"{csv}?sort=-amount_open",
            "SELECT * FROM open_orders ORDER BY amount_open DESC NULLS LAST, order_number DESC, line_number DESC",
        ),
        File("XLSX, one warehouse", f"{xlsx}?warehouse=NORTH", rows.format(some), streamed=False),
        File("XLSX, all", xlsx, rows.format(""), streamed=False),
        File(
            "largest job log as text",
            f"/job_logs/{name[0] if name else ''}/download.txt",
            f"SELECT * FROM job_log_details WHERE job_log_id = {largest} ORDER BY id",  # noqa: S608 - a number of our own
        ),
    ]


def measure_download(server: ApiServer, file: File) -> Download:
    """Return how long a download took, read as it comes and thrown away, and the server's memory meanwhile."""
    with _memory(server.process) as memory:
        used_s, began = server.cpu_s(), time.perf_counter()
        first_s, size = _read(server, file.url)
        took_s = time.perf_counter() - began
    return Download(file.name, file.streamed, size, first_s, took_s, server.cpu_s() - used_s, memory[0], max(memory))


def _read(server: ApiServer, url: str) -> tuple[float, int]:
    """Return the seconds until the first byte, and how many bytes there were."""
    began = time.perf_counter()
    first_s, size = 0.0, 0
    with server.browser.stream("GET", url, timeout=TIMEOUT_S) as answer:
        answer.raise_for_status()
        for part in answer.iter_raw():
            first_s = first_s or time.perf_counter() - began
            size += len(part)
    return first_s, size


@contextmanager
def _memory(process: psutil.Process) -> Iterator[list[int]]:
    """Yield a list to which the bytes that a process holds are added, now and again and again during the block."""
    found = [process.memory_info().rss]
    ended = Event()

    def watch() -> None:
        while not ended.wait(MEMORY_EVERY_S):
            found.append(process.memory_info().rss)

    watching = Thread(target=watch)
    watching.start()
    try:
        yield found
    finally:
        ended.set()
        watching.join()


def _copy(orders: psycopg.Connection[Any], file: File) -> Limit:
    """Return how fast PostgreSQL itself writes the same rows as CSV."""
    size, rows = 0, 0
    began = time.perf_counter()
    with orders.cursor() as cursor:
        with cursor.copy(f"COPY ({file.select}) TO STDOUT (FORMAT csv)".encode()) as copying:
            for part in copying:
                size += len(part)
        rows = cursor.rowcount
    return Limit(rows, size, time.perf_counter() - began)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench exports", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

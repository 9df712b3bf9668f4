"""The report of bench/exports.py."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

from bench.job_history import Size

# Some batches of rows and the answer's buffers; a million lines are 150 MB.
MOST_GROWTH_MB = 40


@dataclass(frozen=True)
class Download:
    """A download: bytes, seconds until the first one and the last, processor time, and memory of the server in bytes.

    streamed: it is sent while it is made, so its memory must not grow with its rows.
    """

    name: str
    streamed: bool
    size: int
    first_s: float
    took_s: float
    cpu_s: float
    memory_before: int
    memory_most: int

    @property
    def growth_mb(self) -> float:
        """How much more memory the server held than before, at most."""
        return (self.memory_most - self.memory_before) / 1e6


@dataclass(frozen=True)
class Limit:
    """PostgreSQL's own `COPY` of the same rows."""

    rows: int
    size: int
    took_s: float


def growing(downloads: Sequence[Download]) -> list[str]:
    """Return which streamed downloads took more memory than some batches of rows need."""
    return [
        f"{download.name}: expected at most {MOST_GROWTH_MB} MB more, found {download.growth_mb:.0f} MB"
        for download in downloads
        if download.streamed and download.growth_mb > MOST_GROWTH_MB
    ]


def describe(download: Download, limit: Limit) -> str:
    """Return a download's figures in a line."""
    return (
        f"{download.name:<28} {limit.rows:,} rows in {download.took_s:.1f} s, "
        f"{limit.rows / download.took_s:,.0f} rows/s, {download.took_s / limit.took_s:.1f} × COPY, "
        f"{download.growth_mb:.0f} MB more memory"
    )


def write_report(path: Path, size: Size, found: Sequence[tuple[Download, Limit]], postgres: int) -> None:
    """Write the report as Markdown."""
    problems = growing([download for download, _ in found])
    outcome = "; ".join(problems) if problems else "that holds for all"
    head = dedent(f"""\
        # Downloads

        Written by `bin/bench exports` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Python {platform.python_version()},
        Airflow {version("apache-airflow")}, PostgreSQL {postgres} with 128 MB of shared buffers and `fsync` off,
        {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} in the last minute.

        {size.open_orders:,} lines of open orders, {size.largest_log:,} messages in the largest log. One download at a
        time, read as it comes and thrown away. `COPY` is PostgreSQL's own `COPY (…) TO STDOUT (FORMAT csv)` of the same
        rows in the same order, read the same way, in the same run. MB are as sent: Airflow compresses for whoever takes
        it, as browsers do, and `COPY` does not. "First" is when the first byte came: an Excel file
        is made on disk before. "More memory" is the most that the api-server held during the download beyond before.

        What is sent while it is made should take at most {MOST_GROWTH_MB} MB more, however many rows: {outcome}.
        """)
    lines = [
        "| download | rows | MB | seconds | rows/s | first s | CPU s | `COPY` s | × `COPY` | more memory MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for download, limit in found:
        lines.append(
            f"| {download.name} | {limit.rows:,} | {download.size / 1e6:.1f} | {download.took_s:.1f} "
            f"| {limit.rows / download.took_s:,.0f} | {download.first_s:.2f} | {download.cpu_s:.1f} "
            f"| {limit.took_s:.2f} | {download.took_s / limit.took_s:.1f} | {download.growth_mb:.0f} |"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *lines]) + "\n")

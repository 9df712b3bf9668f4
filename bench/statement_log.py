"""What reached the server: the statements that PostgreSQL logged, with the time that it spent on each.

The embedded PostgreSQL has no extensions, so neither auto_explain nor pg_stat_statements.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

# Each line one JSON object: https://www.postgresql.org/docs/current/runtime-config-logging.html
SETTINGS = {"logging_collector": "on", "log_destination": "jsonlog", "log_rotation_size": "0", "log_rotation_age": "0"}
LOGGED = re.compile(r"duration: ([\d.]+) ms  (parse|bind|execute|statement)(?: \S+)?: (.*)", re.DOTALL)
PARAMETER = re.compile(r"\$(\d+) = ('(?:[^']|'')*'|NULL)")
TRANSACTION = re.compile(r"BEGIN|COMMIT|ROLLBACK|SET TRANSACTION|$")
TABLES = re.compile(r"\b(FROM|JOIN) (job_logs|job_log_details|open_orders|open_order_changes|rejected_orders)\b")
LOG_TIMEOUT_S = 10


@dataclass
class Statement:
    """One statement as it was executed, its values put in for the parameters; times in milliseconds."""

    text: str
    shape: str
    ms: float

    @property
    def reads_tables(self) -> bool:
        """Whether it is a question to one of our tables, and not a setting or the check of the schema's version."""
        return (
            re.search(
                r"\b(FROM|JOIN) (job_logs|job_log_details|open_orders|open_order_changes|rejected_orders)\b", self.shape
            )
            is not None
        )


@dataclass
class Trace:
    """What one database did in a while: all its time, transaction control included, and the statements besides."""

    ms: float = 0.0
    statements: list[Statement] = field(default_factory=list)


class StatementLog:
    """The log of a running server.

    Args:
        connection: of a superuser, autocommit.
        directory: where the server writes its log: `log` in its data directory.
    """

    def __init__(self, connection: psycopg.Connection[Any], directory: Path) -> None:
        self._connection = connection
        self._directory = directory

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Have the server log every statement, with its values and its time, during the block."""
        self._log_statements("0")
        try:
            yield
        finally:
            self._log_statements("-1")

    @contextmanager
    def trace(self) -> Iterator[dict[str, Trace]]:
        """Yield a dictionary that after the block has a trace for each database that was asked anything."""
        traces: dict[str, Trace] = {}
        start = self._mark()
        yield traces
        for entry in self._read(start, self._mark()):
            # Neither what the bench asks nor what the server says for itself.
            if entry["pid"] == self._connection.info.backend_pid or "dbname" not in entry:
                continue
            _add(traces.setdefault(entry["dbname"], Trace()), entry)

    def _log_statements(self, limit_ms: str) -> None:
        self._connection.execute(f"ALTER SYSTEM SET log_min_duration_statement = {limit_ms}")
        self._connection.execute("SELECT pg_reload_conf()")
        # The postmaster tells the sessions one by one.
        time.sleep(0.2)

    def _mark(self) -> str:
        marker = uuid4().hex
        self._connection.execute(f"SELECT '{marker}'")
        return marker

    def _read(self, start: str, end: str) -> list[dict[str, Any]]:
        """Return the log's entries between two markers."""
        deadline = time.monotonic() + LOG_TIMEOUT_S
        while time.monotonic() < deadline:
            newest = max(self._directory.glob("*.json"), key=lambda file: file.stat().st_mtime)
            _, found, after = newest.read_text().partition(start)
            between, complete, _ = after.partition(end)
            if found and complete:
                # The markers stand in the middle of a line.
                return [json.loads(line) for line in between.splitlines()[1:-1]]
            time.sleep(0.05)
        raise TimeoutError(f"PostgreSQL did not write its statements to {self._directory} within {LOG_TIMEOUT_S} s")


def _add(trace: Trace, entry: dict[str, Any]) -> None:
    logged = LOGGED.match(entry.get("message", ""))
    if logged is None:
        return
    ms, phase, shape = float(logged[1]), logged[2], logged[3].strip()
    trace.ms += ms
    if TRANSACTION.match(shape):
        return
    if phase in ("execute", "statement"):
        values = dict(PARAMETER.findall(entry.get("detail", "")))
        text = re.sub(r"\$(\d+)", lambda found: values.get(found[1], found[0]), shape)
        trace.statements.append(Statement(text, shape, ms))

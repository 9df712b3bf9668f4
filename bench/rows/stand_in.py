"""The stand-in SQL Server that replays the lines, in a process of its own.

`python -m bench.rows.stand_in ROWS:CHANGED:IN_ORDER …` prints its port and serves until it is terminated.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench.rows.catalog import script_catalog
from bench.rows.lines import COLUMN_TYPES, Lines
from sandbox.ports import HOST
from sandbox.processes import read_tail
from sandbox.state import REPOSITORY
from sandbox.tds.scripted_engine import ScriptedEngine
from sandbox.tds.server import StandInServer

USER, PASSWORD, DATABASE = "reader", "bench", "ERP"
_ALIAS = re.compile(r" as \w+")
_QUOTES = re.compile(r'[\[\]"]')
_HINT = re.compile(r"\s+with\s*\(\s*nolock\s*\)")


class StandInError(Exception):
    """The stand-in did not start; the message holds the end of its output."""


@dataclass(frozen=True)
class Source:
    """Where the stand-in listens."""

    port: int

    def address(self, scheme: str, path: str = f"/{DATABASE}", **extras: str) -> str:
        """Return the address as a URL."""
        return f"{scheme}://{USER}:{PASSWORD}@{HOST}:{self.port}{path}?{urlencode(extras)}".rstrip("?")


@contextmanager
def run_stand_in(tables: Sequence[Lines], log: Path) -> Iterator[Source]:
    """Yield a stand-in with these tables; raises StandInError."""
    arguments = [f"{lines.rows}:{lines.changed}:{lines.in_order:d}" for lines in tables]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.rows.stand_in", *arguments],
            stdout=subprocess.PIPE, stderr=errors, cwd=REPOSITORY, text=True,
        )  # fmt: skip
    with process:
        try:
            port = process.stdout.readline() if process.stdout else ""
            if not port:
                raise StandInError(f"The stand-in SQL Server did not start; the end of {log}:\n{read_tail(log)}")
            yield Source(int(port))
        finally:
            process.terminate()


def make_engine(tables: Sequence[Lines]) -> ScriptedEngine:
    """Return an engine that replays the tables' rows to whoever selects all columns, in their order."""
    engine = ScriptedEngine([DATABASE])
    script_catalog(engine, tables)
    for lines in tables:
        engine.script(_selects_all(lines.table), [lines.record()])
    return engine


def _selects_all(table: str) -> Callable[[str], bool]:
    columns = ",".join(COLUMN_TYPES)

    def matches(text: str) -> bool:
        plain = _HINT.sub("", _ALIAS.sub("", " ".join(_QUOTES.sub("", text).lower().rstrip("; \n").split())))
        selected, _, source = plain.partition(" from ")
        if source not in (table, f"dbo.{table}") or not selected.startswith("select "):
            return False
        asked = re.sub(rf"(dbo\.)?{table}\.| ", "", selected.removeprefix("select "))
        return asked in ("*", columns)

    return matches


def main(arguments: list[str]) -> None:
    """Serve the tables that the arguments name."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    fields = (each.split(":") for each in arguments)
    tables = [Lines(int(rows), float(changed), in_order == "1") for rows, changed, in_order in fields]
    # A system call for each packet of 4 kB would be most of its work.
    with StandInServer(make_engine(tables), users={USER: PASSWORD}, database=DATABASE, replies_at_once=True) as server:
        print(server.port, flush=True)
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])

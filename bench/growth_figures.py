"""The figures of bench/growth.py, kept as JSON: each with its size, machine, versions and date.

So that a part can be measured anew alone, an interrupted run goes on where it was, and the page is written from the
file.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sandbox.postgres import BINARIES, find_binary

# Beside them only what the figures depend on.
_PACKAGES = ("apache-airflow", "mssql-python", "pymssql", "pyarrow")
_DIGITS = 4


@dataclass(frozen=True)
class Point:
    """What was measured at one size: values by name; when, on which machine under which load, with which versions."""

    size: int
    measured: str
    machine: str
    load: float
    versions: dict[str, str]
    values: dict[str, float]


class Figures:
    """The points of each part, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._parts = self._read()

    def _read(self) -> dict[str, dict[int, Point]]:
        found = json.loads(self._file.read_text()) if self._file.exists() else {}
        return {part: {each["size"]: Point(**each) for each in points} for part, points in found.items()}

    def points(self, part: str) -> list[Point]:
        """Return the points of a part, the smallest first."""
        return [point for _, point in sorted(self._parts.get(part, {}).items())]

    def add(self, part: str, size: int, values: Mapping[str, float]) -> None:
        """Put a point that was measured just now in the place of an older one, and write the file."""
        # Another run may have added to it since.
        self._parts = self._read()
        self._parts.setdefault(part, {})[size] = Point(
            size=size,
            measured=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            machine=f"{os.cpu_count()} cores ({platform.machine()})",
            load=round(os.getloadavg()[1], 1),
            versions=_read_versions(),
            values={name: float(f"{value:.{_DIGITS}g}") for name, value in values.items()},
        )
        content = {name: [asdict(point) for point in self.points(name)] for name in sorted(self._parts)}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def _read_versions() -> dict[str, str]:
    server = subprocess.check_output([find_binary(max(BINARIES), "postgres"), "--version"], text=True)
    found = {"Python": platform.python_version(), "PostgreSQL": server.split()[-1]}
    return found | {name: version(name) for name in _PACKAGES}

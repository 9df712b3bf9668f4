"""The table of cells tried and cells held, for the terminal and for docs/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from tests.faults.points import POINTS

# A deployment each, with tables of its own: the faults of tests on the same plant.
DEPLOYMENTS = ("one machine", "Celery workers")
BEGIN, END = "<!-- matrix of {} begins -->", "<!-- matrix of {} ends -->"
CACHE_KEY = "faults/matrix of {}"
POINT_NAMES = [point.name for point in POINTS]


@dataclass
class Matrix:
    """What became of each cell of a deployment: (fault, where it struck) and whether everything held."""

    deployment: str
    cells: dict[tuple[str, str], bool] = field(default_factory=dict)
    reads: int = 0
    worst_wait_s: float = 0
    goes: int = 0

    @classmethod
    def load(cls, deployment: str, cache: pytest.Cache) -> Self:
        """Return what earlier goes left in pytest's cache."""
        kept = cache.get(CACHE_KEY.format(deployment), {"cells": [], "deployment": deployment})
        return cls(**kept | {"cells": {(fault, place): held for fault, place, held in kept["cells"]}})

    def store(self, cache: pytest.Cache) -> None:
        """Keep it for a later go."""
        cells = [[fault, place, held] for (fault, place), held in self.cells.items()]
        cache.set(CACHE_KEY.format(self.deployment), vars(self) | {"cells": cells})

    def held(self, properties: Mapping[str, Any]) -> bool:
        """Whether the cell of a test with these properties was tried, and everything held."""
        return self._has(properties) and self.cells.get(tuple(properties["cell"]), False)

    def add(self, properties: Mapping[str, Any], *, held: bool) -> bool:
        """Take in the properties of a test, if it is one of a cell of this deployment."""
        if not self._has(properties):
            return False
        fault, place = properties["cell"]
        self.cells[fault, place] = held
        self.reads += properties.get("reads", 0)
        self.worst_wait_s = max(self.worst_wait_s, properties.get("worst_wait_s", 0))
        return True

    def _has(self, properties: Mapping[str, Any]) -> bool:
        return properties.get("deployment") == self.deployment

    def summarize(self) -> list[str]:
        """Return a line for each fault: cells held of cells tried, and where it did not hold."""
        lines = []
        for fault in self._faults():
            tried = {place: held for (other, place), held in self.cells.items() if other == fault}
            broken = [place for place, held in tried.items() if not held]
            counts = f"{sum(tried.values()):3} of {len(tried):3} held"
            lines.append(f"{counts}   {fault}{': not ' + ', '.join(broken) if broken else ''}")
        return [*lines, f"{sum(self.cells.values()):3} of {len(self.cells):3} held   in all", self._describe_readers()]

    def write_tables(self, file: Path, environment: str) -> None:
        """Replace what is between this deployment's two marks in the file."""
        begin, end = BEGIN.format(self.deployment), END.format(self.deployment)
        before, _, rest = file.read_text().partition(begin)
        _, _, after = rest.partition(end)
        goes = f", in {self.goes} goes" if self.goes > 1 else ""
        counts = f"{sum(self.cells.values())} of {len(self.cells)} cells held{goes}"
        held = f"{counts}. {self._describe_readers()} ({environment})"
        lines = [begin, "", held, "", *self._table_of_points(), *self._table_of_others(), "", end]
        file.write_text(before + "\n".join(lines) + after)

    def _describe_readers(self) -> str:
        return f"Readers read {self.reads:,} times and waited {self.worst_wait_s:.2f} s at worst"

    def _table_of_points(self) -> list[str]:
        """Return the faults that strike at points of a run: a row for each point, a column for each fault."""
        faults = [fault for fault in self._faults() if any((fault, name) in self.cells for name in POINT_NAMES)]
        lines = [f"| | {' | '.join(faults)} |", f"|---|{'---|' * len(faults)}"]
        for name in POINT_NAMES:
            marks = " | ".join(_mark(self.cells.get((fault, name))) for fault in faults)
            lines.append(f"| {name} | {marks} |")
        return lines

    def _table_of_others(self) -> list[str]:
        """Return an empty line and the other faults, a row for each cell; nothing when there are none."""
        others = [(fault, place, held) for (fault, place), held in self.cells.items() if place not in POINT_NAMES]
        if not others:
            return []
        return [
            "",
            "| fault | | |",
            "|---|---|---|",
            *(f"| {fault} | {place} | {_mark(held)} |" for fault, place, held in others),
        ]

    def _faults(self) -> list[str]:
        return list(dict.fromkeys(fault for fault, _ in self.cells))


def _mark(held: bool | None) -> str:
    return {None: "", True: "held", False: "**broken**"}[held]

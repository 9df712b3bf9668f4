"""What a process that runs syncs says of them; apart from it, because that imports Airflow."""

from __future__ import annotations

import json
from dataclasses import dataclass

STEPS = ("connect", "fetch", "truncate", "import_batches", "publish")
# What a sync costs the orders database is counted from here on: the fetch writes an unlogged table only.
COUNTED_FROM = "truncate"
# The application_name of sessions of a bench and of the pages, which may go on beside a sync.
BYSTANDER, PAGES = "bench", "open_orders web"


@dataclass(frozen=True)
class Cost:
    """What the orders database counted: bytes of WAL, and row versions that updates and deletes left behind."""

    wal_bytes: int
    dead_rows: int


@dataclass(frozen=True)
class SyncFigures:
    """One sync: seconds of each step, and the cost of those from `COUNTED_FROM` on."""

    steps: dict[str, float]
    cost: Cost


@dataclass(frozen=True)
class Report:
    """Megabytes of this process with all of it imported and at most, and its syncs."""

    baseline_mb: float
    peak_mb: float
    syncs: list[SyncFigures]

    @classmethod
    def read(cls, text: str) -> Report:
        """Return the report of a process."""
        values = json.loads(text)
        syncs = [SyncFigures(each["steps"], Cost(**each["cost"])) for each in values["syncs"]]
        return cls(values["baseline_mb"], values["peak_mb"], syncs)

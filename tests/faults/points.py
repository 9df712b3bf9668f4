"""The points of a run at which a fault strikes: early and late in each of the five tasks, and in between."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A place in a run.

    `event` is what breakpoints.sql calls it; without one, the source stalls after some rows, while they are copied.
    After a `committed` point the transaction that waits there is let through, and its task is held instead.
    """

    name: str
    step: str
    event: str | None
    committed: bool = False

    def __str__(self) -> str:
        return self.name


POINTS = (
    Point("connect, beginning", "connect", "step connect"),
    Point("connect, at its end", "connect", "message Connected: PostgreSQL%"),
    Point("fetch, beginning", "fetch", "step fetch"),
    Point("fetch, among the rows", "fetch", None),
    Point("fetch, before its commit", "fetch", "fetched"),
    Point("fetch, at its end", "fetch", "message Fetched%"),
    Point("truncate, beginning", "truncate", "step truncate"),
    Point("truncate, at its end", "truncate", "message Truncated%"),
    Point("import, beginning", "import_batches", "step import_batches"),
    Point("import, after batch 1 of 3", "import_batches", "message Batch 1/%"),
    Point("import, at its end", "import_batches", "message Batch 3/3%"),
    Point("publish, beginning", "publish", "step publish"),
    Point("publish, among the rows", "publish", "merge"),
    Point("publish, before the success is written", "publish", "success"),
    Point("publish, at its commit", "publish", "commit"),
    Point("publish, after its commit", "publish", "commit", committed=True),
)
EARLY = tuple(point for point in POINTS if point.name.endswith("beginning"))
STALL_AFTER_ROWS = 450

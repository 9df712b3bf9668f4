"""The unique names of job logs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count


def candidate_names(started_at: datetime) -> Iterator[str]:
    """Yield `YYYYMMDD_HHMMSS` of a moment in UTC, then the same with `_1`, `_2` …; never ends."""
    base = f"{started_at.astimezone(UTC):%Y%m%d_%H%M%S}"
    yield base
    for suffix in count(1):
        yield f"{base}_{suffix}"

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice

from open_orders.job_names import candidate_names


def test_names_are_utc_then_numbered() -> None:
    started_at = datetime(2026, 11, 23, 11, 40, 7, 999999, tzinfo=timezone(timedelta(hours=2)))
    assert list(islice(candidate_names(started_at), 3)) == ["20261123_094007", "20261123_094007_1", "20261123_094007_2"]

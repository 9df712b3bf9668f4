"""The moments at which the sync is due, across midnight and for expressions of all kinds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from open_orders.web import schedule

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def test_slots_begin_after_since_and_end_with_until() -> None:
    five = timedelta(minutes=5)
    assert schedule.slots("*/5 * * * *", MIDNIGHT - 2 * five, MIDNIGHT + five) == [
        MIDNIGHT - five,
        MIDNIGHT,
        MIDNIGHT + five,
    ]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", 1440),
        ("*/5 * * * *", 288),
        ("17 * * * *", 24),
        ("0 3 * * *", 1),
        ("0 0 29 2 *", 0),
        (None, 288),
        ("no cron", 288),
    ],
)
def test_day_has_as_many_slots_as_the_expression_says(cron: str | None, expected: int) -> None:
    now = MIDNIGHT + timedelta(hours=13, minutes=2, seconds=30)
    found = schedule.slots(cron, now - timedelta(days=1), now)
    assert len(found) == expected
    assert found == sorted(set(found))
    assert all(moment.tzinfo is not None and moment.second == 0 for moment in found)


def test_no_more_slots_than_a_strip_can_show() -> None:
    assert len(schedule.slots("* * * * *", MIDNIGHT, MIDNIGHT + timedelta(days=3))) == schedule.MOST_SLOTS

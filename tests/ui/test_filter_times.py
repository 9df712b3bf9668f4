"""The times of the filter are in the zone in which the list shows its times."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.ui.conftest import OpenPage


@pytest.mark.parametrize(
    ("zone", "typed", "asked"),
    [
        ("Europe/Istanbul", "2026-11-24T12:40", "2026-11-24T09:40:00.000Z"),
        ("Europe/Berlin", "2026-07-01T02:30", "2026-07-01T00:30:00.000Z"),
    ],
)
def test_typed_time_is_of_the_zone_of_the_list(open_page: OpenPage, zone: str, typed: str, asked: str) -> None:
    page = open_page("/job_logs/")
    page.evaluate("zone => localStorage.setItem('timezone', JSON.stringify(zone))", zone)
    page.reload()
    since = page.get_by_label(f"From ({zone})")
    since.fill(typed)
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**from=2026*")
    assert parse_qs(urlsplit(page.url).query)["from"] == [asked]
    expect(since).to_have_value(typed)

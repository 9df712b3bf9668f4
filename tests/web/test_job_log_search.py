"""The search of the job logs reads so many messages, says so, and can go on from there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from open_orders.web import job_log_search
from tests.web.job_logs import add_details, add_log
from tests.web.web_client import WebClient

NOW = datetime.now(UTC).replace(microsecond=0)
Orders = psycopg.Connection[Any]


@pytest.fixture
def made(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of nine logs of three messages each, newest first; a search reads eight messages."""
    monkeypatch.setattr(job_log_search, "SEARCHED_MESSAGES", 8)
    names = []
    for hours in range(9, 0, -1):
        name = add_log(orders, NOW - timedelta(hours=hours))
        add_details(orders, name, "Job started", "Found a needle" if hours % 2 else "Found nothing", "Job finished")
        names.append(name)
    return names[::-1]


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*">(\d{8}_\d{6})</a>', page)


def further(page: str) -> str | None:
    found = re.search(r'href="([^"]+)">Search the messages before', page)
    return found[1].replace("&amp;", "&") if found else None


def test_newest_logs_are_searched_whole_and_the_page_says_since_when(web: WebClient, made: list[str]) -> None:
    page = web.get("/job_logs/?q=needle").text
    # Of the third log only two messages are among the newest eight.
    assert names(page) == [made[0]]
    since = datetime.strptime(made[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    assert f"in the newest 8 messages: from {since:%Y-%m-%d %H:%M:%S} +00:00 on" in page


def test_following_the_search_finds_every_log_once(web: WebClient, made: list[str]) -> None:
    found, address, pages = [], "/job_logs/?q=NEEDLE", 0
    while address:
        page = web.get(address).text
        found += names(page)
        address, pages = further(page), pages + 1
    assert found == made[::2]
    assert pages == 5


def test_search_goes_on_within_the_filters_times(web: WebClient, made: list[str]) -> None:
    since = datetime.strptime(made[4], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    address = further(web.get(f"/job_logs/?q=needle&from={since:%Y-%m-%dT%H:%M:%S}").text)
    assert address
    page = web.get(address).text
    assert names(page) == [made[2]]
    assert "of that time" in page
    last = further(page)
    assert last
    page = web.get(last).text
    assert names(page) == [made[4]]
    assert further(page) is None


def test_log_of_more_messages_than_are_read_is_searched_all_the_same(
    web: WebClient, orders: Orders, made: list[str]
) -> None:
    large = add_log(orders, NOW)
    add_details(orders, large, "the needle", *("message" for _ in range(20)))
    page = web.get("/job_logs/?q=needle").text
    assert names(page) == [large]
    address = further(page)
    assert address
    assert names(web.get(address).text) == [made[0]]


def test_times_without_logs_have_nothing_to_search(web: WebClient, made: list[str]) -> None:
    for query in ("to=2001-01-01", f"from={NOW + timedelta(days=1):%Y-%m-%d}"):
        assert "No job log matches" in web.get(f"/job_logs/?q=needle&{query}").text


def test_small_history_is_searched_to_its_beginning(web: WebClient, orders: Orders) -> None:
    old = add_log(orders, NOW - timedelta(days=400), error_summary="the needle")
    page = web.get("/job_logs/?q=needle").text
    assert names(page) == [old]
    assert "Searched for" not in page


def test_other_filters_narrow_what_is_found_and_counted(web: WebClient, orders: Orders, made: list[str]) -> None:
    orders.execute("UPDATE job_logs SET status = 3 WHERE name = %s", [made[0]])
    page = web.get("/job_logs/?q=needle&status=success").text
    assert names(page) == []
    assert re.search(r"Error <span class=\"muted\">1</span>", page)
    assert re.search(r"Success <span class=\"muted\">0</span>", page)


def test_api_says_since_when_it_searched(web: WebClient, made: list[str]) -> None:
    answer = web.get("/job_logs/api/job_logs?q=needle", accept="application/json").json()
    assert [log["name"] for log in answer["job_logs"]] == [made[0]]
    since = datetime.strptime(made[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    assert answer["searched_since"] == since.isoformat()


def test_number_of_queries_of_a_search_does_not_grow(web: WebClient, orders: Orders, queries: list[str]) -> None:
    counted = []
    for more in (1, 40):
        for number in range(more):
            add_details(orders, add_log(orders, NOW - timedelta(days=more, minutes=number)), "the needle")
        queries.clear()
        assert web.get("/job_logs/?q=needle").status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1] < 22

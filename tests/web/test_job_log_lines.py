"""A filter in a very long job log looks at so many lines, says which, and can go on from there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from open_orders.web import job_log_lines
from tests.web.job_logs import add_details, add_log
from tests.web.web_client import WebClient

NOW = datetime.now(UTC).replace(microsecond=0)
Orders = psycopg.Connection[Any]


@pytest.fixture
def address(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a log of ten lines; a filter looks at four, the outline at two at each end."""
    monkeypatch.setattr(job_log_lines, "SEARCHED_LINES", 4)
    monkeypatch.setattr(job_log_lines, "OUTLINED_LINES", 2)
    name = add_log(orders, NOW)
    add_details(orders, name, *(f"line {number}" for number in range(1, 10)), task_id="fetch")
    add_details(orders, name, "line 10: the needle", level="error", task_id="publish")
    return f"/job_logs/{name}"


def numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li id="L(\d+)"', page)]


def link(page: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]*line=[^"]*)"', page)
    assert found
    return found[1].replace("&amp;", "&")


@pytest.mark.parametrize("query", ["q=NEEDLE", "level=error", "q=needle&level=error"])
def test_filter_looks_at_some_lines_says_which_and_goes_on(web: WebClient, address: str, query: str) -> None:
    first = web.get(f"{address}?{query}").text
    assert numbers(first) == []
    assert "Searched lines 1 to 4 of 10." in first
    second = web.get(address + link(first, "next")).text
    assert "Searched lines 5 to 8 of 10." in second
    third = web.get(address + link(second, "next")).text
    assert "Searched lines 9 to 10 of 10." in third
    assert numbers(third) == [10]
    assert 'rel="next" href="?' not in third
    assert "Searched lines 5 to 8" in web.get(address + link(third, "prev")).text


def test_lines_of_a_long_log_are_shown_without_a_search(web: WebClient, address: str) -> None:
    page = web.get(address).text
    assert numbers(page) == list(range(1, 11))
    assert "Searched lines" not in page


def test_long_log_has_its_tasks_but_no_count_of_levels(web: WebClient, address: str) -> None:
    page = web.get(address).text
    assert re.findall(r"/tasks/(\w+)\?", page) == ["fetch", "publish"]
    assert '<option value="error">error</option>' in page


def test_levels_are_counted_where_both_ends_meet(web: WebClient, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_log_lines, "OUTLINED_LINES", 6)
    page = web.get(address).text
    assert '<option value="info">info (9)</option>' in page
    assert '<option value="error">error (1)</option>' in page

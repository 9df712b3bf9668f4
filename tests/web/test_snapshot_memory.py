"""Of many open orders a page shows what is found at once, says what is not, and has it when it is asked again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any

import psycopg
import pytest

from open_orders.web import database, open_order_summaries, snapshot_memory
from tests.integration.erp import order
from tests.web.open_orders import add_orders, add_sync, publish
from tests.web.test_open_orders_list import api, page, words
from tests.web.web_client import WebClient

Orders = psycopg.Connection[Any]
LIMIT_S = 20


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even one line count as many."""
    monkeypatch.setattr(snapshot_memory, "FEW_LINES", 0)


@contextmanager
def table_held(dsn: str) -> Iterator[Orders]:
    """Keep everybody from reading the open orders during the block, at whose end the transaction commits."""
    with psycopg.connect(dsn) as holder:
        holder.execute("LOCK TABLE open_orders")
        yield holder


def complete(web: WebClient, query: str) -> str:
    """Return the page when everything is on it."""
    deadline = time.monotonic() + LIMIT_S
    while 'data-pending="1"' in (text := page(web, query)):
        assert time.monotonic() < deadline, "never complete"
    return text


def test_search_that_takes_long_is_announced_and_found_when_asked_again(
    web: WebClient, orders: Orders, orders_dsn: str
) -> None:
    publish(orders, order("SO1"), order("SO2"))
    with table_held(orders_dsn):
        text = page(web, "?q=so1")
        assert 'data-pending="1"' in text
        assert "Looking through 2 lines… What is found appears here." in words(text)
        assert "Counting 2 lines…" in words(text)
        assert '<noscript><meta http-equiv="refresh"' in text
        assert 'href="?q=so1">Look again</a>' in text
        assert "matches this filter" not in text
    text = complete(web, "?q=so1")
    assert "1 line of 1 order (filtered)" in words(text)
    assert "SO1" in text
    assert "http-equiv" not in text


def test_search_without_a_hit_says_so_once_everything_was_looked_at(
    web: WebClient, orders: Orders, orders_dsn: str
) -> None:
    publish(orders, order("SO1"))
    with table_held(orders_dsn):
        assert "matches this filter" not in page(web, "?q=zebra")
    assert "No open order matches this filter. Show all 1" in words(complete(web, "?q=zebra"))


def test_what_several_readers_ask_at_once_is_looked_for_once(
    web: WebClient, orders: Orders, orders_dsn: str, queries: list[str]
) -> None:
    publish(orders, order("SO1"))
    with table_held(orders_dsn):
        for _ in range(3):
            page(web, "?q=so1&sort=due_date")
    complete(web, "?q=so1&sort=due_date")
    searches = [statement for statement in queries if "FROM open_orders" in statement and "LIKE" in statement]
    assert len(searches) == 2, "one for the rows, one for the totals"


def test_newer_snapshot_is_looked_through_anew(web: WebClient, orders: Orders, orders_dsn: str) -> None:
    publish(orders, order("SO1"), ago=timedelta(minutes=9))
    assert "SO1" in complete(web, "?q=so")
    with table_held(orders_dsn) as holder:
        # Asked of the old snapshot, looked for when there is the new one.
        page(web, "?q=s")
        add_orders(holder, [order("SO2")], add_sync(holder, total_after=2, inserted=1)[0])
    for query in ("?q=so", "?q=s"):
        text = complete(web, query)
        assert "2 lines of 2 orders (filtered)" in words(text)
        assert "SO2" in text


def test_unfiltered_rows_are_there_while_they_are_counted(
    web: WebClient, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(orders, order("SO1"), order("SO2"))
    counted = Event()
    count = open_order_summaries.read_choices

    def count_late(*args: Any) -> Any:
        assert counted.wait(LIMIT_S)
        return count(*args)

    monkeypatch.setattr(open_order_summaries, "read_choices", count_late)
    monkeypatch.setattr(open_order_summaries, "read_totals", count_late)
    try:
        text = page(web)
        assert "SO1" in text
        assert "2 lines Counting 2 lines…" in words(text)
        assert "overdue (" not in words(text)
        assert "2 lines last sync OK" in words(web.get("/open_orders/freshness").text)
    finally:
        counted.set()


def test_statement_that_takes_too_long_is_told_once_and_tried_anew(
    web: WebClient, orders: Orders, orders_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STATEMENT_TIMEOUT_S", 0.2)
    publish(orders, order("SO1"))
    with table_held(orders_dsn):
        deadline = time.monotonic() + LIMIT_S
        while (answer := web.get("/open_orders/?q=so1")).status_code == 200:
            assert time.monotonic() < deadline, "the time-out is never told"
        assert answer.status_code == 503
    monkeypatch.setattr(database, "STATEMENT_TIMEOUT_S", LIMIT_S)
    deadline = time.monotonic() + LIMIT_S
    while (answer := web.get("/open_orders/?q=so1")).status_code != 200 or 'data-pending="1"' in answer.text:
        assert time.monotonic() < deadline, "never found"
    assert "SO1" in answer.text


def test_program_gets_a_whole_answer(web: WebClient, orders: Orders) -> None:
    publish(orders, order("SO1"), order("SO2"))
    found = api(web, "?q=so1&sort=-amount_open")
    assert [row["order_number"] for row in found["open_orders"]] == ["SO1"]
    assert found["totals"]["lines"] == 1


def test_memory_keeps_the_last_answers_and_gives_up_what_nobody_has_begun() -> None:
    memory = snapshot_memory.SnapshotMemory(2, threads=1)
    begun, going_on = Event(), Event()

    def wait() -> str:
        begun.set()
        assert going_on.wait(LIMIT_S)
        return "found"

    first = memory.start("first", wait)
    assert begun.wait(LIMIT_S)
    second, third, fourth = (memory.start(key, wait) for key in ("second", "third", "fourth"))
    assert second.cancelled()
    assert memory.start("fourth", wait) is fourth
    going_on.set()
    assert first.result(LIMIT_S) == third.result(LIMIT_S) == fourth.result(LIMIT_S) == "found"

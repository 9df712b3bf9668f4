"""What `tests_manual/prepare` does for the walk-throughs of pages and access, on the web apps alone."""

from __future__ import annotations

import argparse
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from psycopg.rows import dict_row

from sandbox.ports import find_free_port
from tests.web.web_client import PASSWORD, WebClient
from tests_manual import prepare
from tests_manual.routes import PATHS, Address, ask_all


class OrdersOnly:
    """What of a sandbox the commands need that only write to the orders database."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @contextmanager
    def orders(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        with psycopg.connect(self._dsn, autocommit=True, row_factory=dict_row) as connection:
            yield connection


def make_logs(dsn: str, count: int) -> None:
    prepare.make_logs(OrdersOnly(dsn), argparse.Namespace(count=count))  # type: ignore[arg-type]


def read_pages(web: WebClient, address: str) -> list[list[str]]:
    """Return the names on each page of the list, from an address on."""
    pages = []
    while address:
        text = web.get(address).text
        table = text.partition("<tbody")[2].partition("</table>")[0]
        pages.append(re.findall(r'href="/job_logs/(\d{8}_\d{6}(?:_\d+)?)[?"]', table))
        older = re.search(r'rel="next" href="([^"]+)"', text)
        address = older[1].replace("&amp;", "&") if older else ""
    return pages


@pytest.mark.parametrize(("count", "sizes"), [(20, [20]), (30, [25, 5]), (50, [25, 25]), (51, [25, 25, 1])])
def test_list_has_as_many_pages_as_the_walk_through_says(
    web: WebClient, orders_dsn: str, count: int, sizes: list[int]
) -> None:
    make_logs(orders_dsn, count)
    pages = read_pages(web, "/job_logs/?job=walk-through")
    assert [len(set(page)) for page in pages] == sizes
    assert len({name for page in pages for name in page}) == count
    failed = read_pages(web, "/job_logs/?job=walk-through&status=error")
    assert sum(len(set(page)) for page in failed) == count // 10


def test_names_stay_unique_when_logs_are_added_again(web: WebClient, orders_dsn: str) -> None:
    make_logs(orders_dsn, 30)
    make_logs(orders_dsn, 20)
    assert [len(set(page)) for page in read_pages(web, "/job_logs/?job=walk-through")] == [25, 25]


def test_every_route_answers_as_the_walk_through_says(web: WebClient, root: FastAPI, orders_dsn: str) -> None:
    make_logs(orders_dsn, 1)
    name = read_pages(web, "/job_logs/")[0][0]
    web.reader.signed_in = False
    port = find_free_port()
    server = uvicorn.Server(uvicorn.Config(root, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        answers = list(ask_all(Address(f"http://127.0.0.1:{port}", name, PASSWORD)))
    finally:
        server.should_exit = True
        thread.join()
    assert [answer for answer in answers if not answer.is_right] == []
    assert {answer.path for answer in answers} == set(PATHS)

"""Whatever stands in an address, the answer is an ordinary page, a file or a 4xx: for each parameter of each route."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_dependant

from open_orders.contract import OPEN_ORDERS
from tests.web.hostile import Markup, fill
from tests.web.raw_requests import RawAnswer, ask, run_apart
from tests.web.routes import FoundRoute, walk_plugin
from tests.web.web_client import WebClient

ROUTES = [found for found in walk_plugin() if found.asks]
HUGE = 100_000
# Reading the markup of each page would take longer than making it.
HARM = re.compile(rb"<img|<script>", re.IGNORECASE)
# Percent-encoded, as they stand in an address.
NASTY = [
    "",
    "0",
    "-1",
    "1.5",
    "NaN",
    "null",
    "%5B%5D",
    "9223372036854775808",
    "9" * 5000,
    "%D9%A1%D9%A2",  # digits of another script, which Python takes for a number
    "1_000",
    "a%00b",
    "%ED%A0%80",  # a lone surrogate
    "%FF%C0%AF",
    "\xff\xfe",
    "%zz%",
    "%5C%25_",
    "..%2F..%2Fetc%2Fpasswd",
    quote("' OR '1'='1"),
    quote("'; DROP TABLE job_logs; --"),
    quote("%s %(q)s :q {q} $1"),
    quote("\"'><img src=x onerror=alert(1)><script>alert(1)</script>"),
    "javascript:alert(1)",
    "%0D%0ASet-Cookie:%20a=b",
    "%E2%80%AE%1B%5B31m",
    "x" * HUGE,
    "%00" * 200,
    "20261124_094000",
    "2026-11-24T09:40:00%2B99:99",
    "0001-01-01T00:00:00%2B23:59",
    "9999-12-31T23:59:59-23:59",
    "9998-12-31T23:59:59-23:59",
    "2026-11-24T09:40:00_9223372036854775808",
    "-due_date",
    "order_number,1",
    "--",
]

COLUMN_OF_TYPE = {type(column.type): column.name for column in OPEN_ORDERS.columns}


def cursor(values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


# Positions in the open orders, for a sort by each type of column.
CURSORS = [
    "AAAA",
    "A",
    base64.urlsafe_b64encode(b"[" * 10_000).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    cursor({}),
    cursor("ab"),
    cursor([]),
    cursor([[], {}]),
    cursor([1, 2]),
    cursor([None, None]),
    cursor(["a\x00b", "1"]),
    cursor(["\ud800", "1"]),
    cursor(["SO1", "9" * 5000]),
    cursor(["SO1", "2147483648"]),
    cursor(["SO1", "1", "SO1"]),
    *(
        cursor([value, "SO1", "1"])
        for value in (
            *(None, "", "x", "1", "-1.5", "NaN", "Infinity", "1e400", "9" * 30, "9" * 31, "0." + "1" * 30),
            *("0001-01-01", "9999-12-31", "2026-11-24", "20261124", "2026-W01-1", "10000-01-01"),
            *("2026-11-24T09:40:00", "2026-11-24T09:40:00+14:00", "0001-01-01T00:00:00+14:00", "24:00", "infinity"),
        )
    ),
]


def parameters(found: FoundRoute) -> Iterator[str]:
    """Yield the names of the query's parameters that a route reads."""
    yield from (field.alias for field in get_flat_dependant(found.route.dependant).query_params)


def requests(found: FoundRoute, name: str) -> Iterator[tuple[str, str]]:
    """Yield path and query of each request to a route: every parameter with every value, the others left out."""
    path = found.path.replace("{name}", name)
    names = list(parameters(found))
    # A file takes longer than a page, and has the parameters of one.
    values = NASTY[::4] if "export" in path else NASTY
    for parameter in names:
        yield from ((path, f"{parameter}={value}") for value in values)
        yield path, f"{parameter}=a&{parameter}=b&{parameter}={name}"
        yield path, f"{parameter}[]=a&{parameter}.x=b&{parameter}"
    if "{name}" in found.path:
        yield from ((found.path.replace("{name}", value), "") for value in NASTY if value.isascii())
    if {"sort", "after", "limit"} <= set(names):
        for column in COLUMN_OF_TYPE.values():
            for number, text in enumerate(CURSORS):
                yield path, f"sort=-{column}&after={text}" if number % 2 else f"sort={column}&before={text}"
    yield path, "&".join(f"{number}=1" for number in range(5000))


def problem_of(answer: RawAnswer) -> str | None:
    """Return what is wrong with an answer."""
    if not 200 <= answer.status < 500 or answer.status in (401, 403):
        return f"status {answer.status}"
    if "set-cookie" in answer.headers or any(set(value) & set("\r\n\x00") for value in answer.headers.values()):
        return f"headers {answer.headers}"
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/html") and HARM.search(answer.body):
        return f"markup {Markup(answer.body.decode()).alien}"
    if kind.endswith("json"):
        json.loads(answer.body)
    return None


@pytest.mark.parametrize("found", ROUTES, ids=[found.path for found in ROUTES])
def test_no_value_of_a_parameter_breaks_a_page(
    web: WebClient, orders: psycopg.Connection[Any], root: FastAPI, found: FoundRoute
) -> None:
    name = fill(orders)[0]
    before = orders.execute("SELECT count(*) FROM job_logs").fetchone()

    async def ask_all() -> list[str]:
        problems = []
        for path, query in requests(found, name):
            try:
                problem = problem_of(await ask(root, path, query))
            except Exception as error:  # noqa: BLE001 - whatever it is, the server would answer 500
                problem = f"{type(error).__name__}: {error}"[:300]
            if problem:
                problems.append(f"{path[:80]}?{query[:200]}: {problem}")
        return problems

    assert run_apart(ask_all) == []
    assert orders.execute("SELECT count(*) FROM job_logs").fetchone() == before

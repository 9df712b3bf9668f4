"""Whatever page and API call the plugin has is measured."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from starlette.routing import Match

from bench import exports
from bench.job_history import Size, fill
from bench.web_page_list import list_pages
from open_orders.web.open_order_columns import COLUMNS
from tests.web.routes import walk_plugin

Orders = psycopg.Connection[Any]


def answers(prefix: str, route: Any, url: str) -> bool:
    """Return whether a route answers an address, apart from what other routes would."""
    path, _, _ = url.partition("?")
    if not path.startswith(f"{prefix}/"):
        return False
    match, _ = route.matches({"type": "http", "method": "GET", "path": path.removeprefix(prefix), "root_path": ""})
    return bool(match == Match.FULL)


@pytest.mark.parametrize("logs", [1, 2, 500])
def test_every_route_is_measured_whatever_the_size(orders: Orders, logs: int) -> None:
    fill(orders, Size(logs=logs, details_per_log=12, largest_log=50, open_orders=1000), lambda _done: None)
    urls = [page.urls[0] for page in list_pages(orders)] + [file.url for file in exports.list_files(orders)]
    routes = [found for found in walk_plugin() if found.asks]
    measured = {next(found.path for found in routes if answers(found.prefix, found.route, url)) for url in urls}
    assert measured == {found.path for found in routes}


def test_every_sort_and_filter_is_measured_of_a_new_snapshot(orders: Orders) -> None:
    fill(orders, Size(logs=50, details_per_log=2, largest_log=50, open_orders=1000), lambda _done: None)
    anew = " ".join(url for page in list_pages(orders) if page.anew for url in page.urls)
    for column in COLUMNS:
        for sign in ("", "-"):
            assert f"sort={sign}{column.name}&after=" in anew
    for parameter in ("q", "customer", "warehouse", "status", "overdue", "changed"):
        assert f"?{parameter}=" in anew

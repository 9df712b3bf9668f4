from __future__ import annotations

import base64
import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import psycopg
import pytest

from open_orders.contract import OPEN_ORDERS
from open_orders.job_status import JobStatus
from tests.integration.erp import order
from tests.web.open_orders import add_orders, add_rejected, add_sync, publish
from tests.web.web_client import WebClient

Orders = psycopg.Connection[Any]


def page(web: WebClient, query: str = "") -> str:
    answer = web.get(f"/open_orders/{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def api(web: WebClient, query: str = "") -> dict[str, Any]:
    answer = web.get(f"/open_orders/api/open_orders{query}", accept="application/json")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def numbers(web: WebClient, query: str = "") -> list[str]:
    return [row["order_number"] for row in api(web, query)["open_orders"]]


def words(text: str) -> str:
    """Return what a reader sees of a page, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text))


def walk(web: WebClient, query: str) -> list[tuple[str, int]]:
    """Return the keys of all pages from the first to the last, having gone back to the first as well."""
    found, cursor, pages = [], "", []
    while True:
        answer = api(web, f"{query}&after={cursor}" if cursor else query)
        pages.append(answer)
        found += [(row["order_number"], row["line_number"]) for row in answer["open_orders"]]
        cursor = answer["next"]
        if not cursor:
            break
    for earlier, later in zip(pages[-2::-1], pages[:0:-1], strict=True):
        back = api(web, f"{query}&before={later['previous']}")
        assert back["open_orders"] == earlier["open_orders"]
    assert pages[0]["previous"] is None
    return found


def test_every_column_of_the_contract_is_shown_and_sortable(web: WebClient, orders: Orders) -> None:
    publish(orders, order())
    text = page(web)
    for column in OPEN_ORDERS.columns:
        assert f'title="{column.description}"' in unescape(text)
        assert f"?sort={column.name}" in text or f"?sort=-{column.name}" in text
    assert "1,234.00" in text
    assert "Müşteri A.Ş." in text


def today() -> date:
    """Return the day as it is now: the tests may run across midnight."""
    return datetime.now(UTC).date()


def test_overdue_is_marked_by_icon_and_word_and_counted(web: WebClient, orders: Orders) -> None:
    publish(
        orders,
        order("SO1", due_date=today() - timedelta(days=3)),
        order("SO2", due_date=today()),
        order("SO3", due_date=None),
    )
    text = page(web)
    assert text.count("</svg> overdue</span>") == 1
    assert "1 overdue" in words(text)
    assert numbers(web, "?overdue=1") == ["SO1"]


def varied_order(number: int) -> dict[str, Any]:
    """Return a line with repeated values in every column, and none here and there where none is allowed."""
    values = order(
        f"SO{number // 2}",
        number % 2 + 1,
        customer_code=f"C{number % 3}",
        due_date=date(2026, 11, 1) + timedelta(days=number % 4),
        amount_open=Decimal(number % 5) / 4,
        quantity_open=Decimal(number % 4),
        source_updated_at=datetime(2026, 11, 1, 1, 1, 1, number % 3),
    )
    nullable = [column.name for column in OPEN_ORDERS.columns if column.nullable]
    return values | {name: None for place, name in enumerate(nullable) if (number + place) % 5 == 0}


def test_paging_visits_every_row_once_in_any_order_with_rows_without_value_last(web: WebClient, orders: Orders) -> None:
    rows = [varied_order(number) for number in range(13)]
    publish(orders, *rows)
    by_key = {(row["order_number"], row["line_number"]): row for row in rows}
    for column in OPEN_ORDERS.names:
        for sign in ("", "-"):
            found = walk(web, f"?sort={sign}{column}&limit=4")
            assert sorted(found) == sorted(by_key)
            shown = [by_key[key][column] for key in found]
            filled = [value for value in shown if value is not None]
            assert shown[len(filled) :] == [None] * (len(shown) - len(filled))
            statement = f"SELECT {column} FROM open_orders WHERE {column} IS NOT NULL ORDER BY 1"
            assert filled == [value for (value,) in orders.execute(statement + (" DESC" if sign else ""))]


def test_page_links_keep_filter_and_sort(web: WebClient, orders: Orders) -> None:
    publish(orders, *(order(f"SO{number:03}") for number in range(120)))
    first = page(web, "?customer=C1&sort=-order_number")
    assert "SO119" in first
    assert "SO069" not in first
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    second = page(web, following.replace("&amp;", "&"))
    assert "SO069" in second
    assert 'value="C1"' in second
    assert 'rel="prev"' in second


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=so1", ["SO1", "SO10"]),
        ("?q=ACME", ["SO2"]),
        ("?q=100%25", ["SO3"]),
        ("?q=a_b", ["SO4"]),
        ("?q=itm-9", ["SO1"]),
        ("?q=%E6%97%A5%E6%9C%AC", ["SO1", "SO10", "SO2", "SO4"]),
        ("?q=ışıklar", ["SO3"]),
        ("?q=IŞIKLAR", ["SO3"]),
        ("?q=müşteri", ["SO1", "SO10"]),
        ("?q=MÜŞTERİ", ["SO1", "SO10"]),
        ("?q=isiklar", []),
        ("?q=ıtm-_", []),
        ("?q=%25 WOOL", ["SO3"]),
        ("?customer=C2", ["SO2"]),
        ("?warehouse=W2", ["SO3"]),
        ("?warehouse=~none", ["SO4"]),
        ("?status=Blocked", ["SO10"]),
        ("?status=Blocked&warehouse=W2", []),
        ("?q=' OR 1=1 --", []),
    ],
)
def test_filters_and_search_find_what_they_say(web: WebClient, orders: Orders, query: str, found: list[str]) -> None:
    publish(
        orders,
        order("SO1", item_code="ITM-9"),
        order("SO10", order_status="Blocked"),
        order("SO2", customer_code="C2", customer_name="Acme"),
        order("SO3", item_description="100% wool", warehouse="W2", customer_name="Işıklar"),
        order("SO4", customer_name="a_b", warehouse=None),
    )
    assert numbers(web, query) == found


def test_changed_in_last_sync_keeps_what_the_last_success_touched(web: WebClient, orders: Orders) -> None:
    old, _ = add_sync(orders, ago=timedelta(minutes=8))
    last, _ = add_sync(orders, inserted=1, updated=1, total_after=3)
    add_orders(orders, [order("SO1")], old)
    add_orders(orders, [order("SO2")], old, changed_by=last)
    add_orders(orders, [order("SO3")], last)
    found = api(web, "?changed=1")["open_orders"]
    assert [(row["order_number"], row["changed_in_last_sync"]) for row in found] == [("SO2", "changed"), ("SO3", "new")]
    assert "changed in last sync (2)" in words(page(web))


def test_totals_are_of_what_is_filtered(web: WebClient, orders: Orders) -> None:
    publish(
        orders,
        order("SO1", 1, amount_open=Decimal("1000.10")),
        order("SO1", 2, amount_open=Decimal("204331.10")),
        order("SO2", 1, amount_open=Decimal("88120"), currency="USD"),
        order("SO3", 1, amount_open=None, due_date=today() + timedelta(days=1)),
        order("SO4", 1, customer_code="C9", amount_open=Decimal("7")),
    )
    totals = api(web, "?customer=C1")["totals"]
    assert (totals["orders"], totals["lines"], totals["overdue"]) == (
        3,
        4,
        sum(date(2026, 11, 20) < today() for _ in "123"),
    )
    assert [(each["currency"], each["amount"]) for each in totals["open_amounts"]] == [
        ("EUR", "205331.2000"),
        ("USD", "88120.0000"),
    ]
    text = words(page(web, "?customer=C1"))
    assert "4 lines of 3 orders (filtered)" in text
    assert "205,331.20 EUR, 88,120.00 USD" in text
    assert "1 line without an amount" in text


def test_state_of_filters_is_in_the_form_again(web: WebClient, orders: Orders) -> None:
    publish(orders, order(), order("SO2", warehouse="W2"))
    text = page(web, "?q=so&warehouse=W2&overdue=1&sort=-due_date")
    assert 'name="q" value="so"' in text
    assert '<option value="W2" selected>' in text
    assert 'name="overdue" value="1" checked' in text
    assert 'name="sort" value="-due_date"' in text


@pytest.mark.parametrize(
    "query",
    [
        "?sort=nothing",
        "?sort=-",
        "?after=!!",
        "?after=bm90IGpzb24",
        "?after=WzFd",
        "?overdue=maybe",
        "?q=%00",
        "?sort=due_date&after=WyJ4Il0",
    ],
)
def test_bad_parameter_is_told_and_not_an_error_of_ours(web: WebClient, orders: Orders, query: str) -> None:
    publish(orders, order())
    status = web.get(f"/open_orders/{query}").status_code
    answer = web.get(f"/open_orders/api/open_orders{query}", accept="application/json")
    if query == "?sort=-":
        assert status == answer.status_code == 200
    else:
        assert status == answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        ("amount_open", ["1.2.3", "SO1", "1"]),
        ("amount_open", ["--5", "SO1", "1"]),
        ("amount_open", ["NaN", "SO1", "1"]),
        ("amount_open", ["9" * 5000, "SO1", "1"]),
        ("order_number", ["\x00", "1"]),
        ("order_number", ["\ud800", "1"]),
        ("order_number", [{}, "1"]),
        ("order_number", [["SO1"], "1"]),
        ("order_number", ["SO1", 1]),
        ("order_number", ["SO1", "9" * 5000]),
        ("order_number", ["SO1", str(2**31)]),
        ("due_date", ["2026-11-24T00:00", "SO1", "1"]),
        ("due_date", [None, None, "1"]),
        ("due_date", "[" * 10_000),
    ],
)
@pytest.mark.parametrize("direction", ["after", "before"])
def test_page_with_a_made_up_position_is_a_bad_request(
    web: WebClient, orders: Orders, sort: str, values: object, direction: str
) -> None:
    publish(orders, order())
    text = values if isinstance(values, str) else json.dumps(values)
    cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    for path in ("", "api/open_orders"):
        answer = web.get(f"/open_orders/{path}?sort={sort}&{direction}={cursor}")
        assert answer.status_code == 400
        assert "address is damaged" in answer.text


def test_number_of_queries_does_not_grow_with_the_rows(web: WebClient, orders: Orders, queries: list[str]) -> None:
    publish(orders, order(), ago=timedelta(minutes=9))
    page(web)
    few = len(queries)
    publish(orders, *(order(f"X{number}", customer_code=f"C{number}") for number in range(200)))
    queries.clear()
    page(web)
    assert len(queries) == few


def test_totals_are_counted_once_for_each_snapshot(web: WebClient, orders: Orders, queries: list[str]) -> None:
    publish(orders, order("SO1"), ago=timedelta(minutes=9))
    assert "1 line of 1 order" in words(page(web))
    first = len(queries)
    queries.clear()
    assert "1 line of 1 order" in words(page(web))
    assert len(queries) == first - 2
    publish(orders, order("SO2"))
    assert "2 lines of 2 orders" in words(page(web))


def test_hostile_text_is_shown_and_never_run(web: WebClient, orders: Orders) -> None:
    hostile = "<script>alert(1)</script>\x1b[31m\u202etxt"
    row = order("SO<b>1", customer_code='C"><img>', customer_name=hostile, item_description="w" * 10_000)
    row |= {"warehouse": "<i>W", "order_status": hostile, "currency": "<b>"}
    synced, _ = publish(orders, row)
    add_rejected(orders, synced, f"reason {hostile}", customer_name=hostile)
    for path in ("", "?warehouse=%3Ci%3EW&q=%3Cscript%3E", "rejected", "changes"):
        # The value of a choice stays what it is: the browser shows its label.
        text = re.sub(r'value="[^"]*"', "", page(web, path))
        assert "<script>alert" not in text
        assert "<img>" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "w" * 10_000 in page(web)


def test_no_orders_nothing_matching_and_never_synced_are_three_pages(web: WebClient, orders: Orders) -> None:
    assert "Never synced" in page(web)
    assert "Nothing yet" in page(web)
    add_sync(orders, ago=timedelta(minutes=8))
    text = page(web)
    assert "There are no open orders." in text
    publish(orders, order())
    assert "No open order matches this filter." in page(web, "?q=nothing-like-it")


def test_unreachable_database_is_its_own_page(web: WebClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", "postgres://nobody@127.0.0.1:1/orders")
    for path in ("", "changes", "rejected", "export.csv", "export.xlsx", "api/freshness"):
        answer = web.get(f"/open_orders/{path}")
        assert answer.status_code == 503
        assert "cannot be reached" in answer.text


def test_reader_of_open_orders_alone_gets_no_links_to_job_logs(web: WebClient, orders: Orders) -> None:
    _, name = publish(orders, order())
    assert f'href="/job_logs/{name}"' in page(web)
    web.reader.permissions = {"Open Orders"}
    for path in ("", "changes", "rejected", "freshness"):
        text = page(web, path)
        assert 'href="/job_logs/' not in text
    assert name in page(web)


def test_state_of_the_last_sync_is_told_apart(web: WebClient, orders: Orders) -> None:
    def state() -> tuple[str, str]:
        found = web.get("/open_orders/api/freshness", accept="*/*").json()
        return found["state"], words(page(web))

    assert state()[0] == "never_synced"
    add_sync(orders, ago=timedelta(minutes=30), status=JobStatus.ERROR)
    found, text = state()
    assert found == "never_synced"
    assert "SQL Server closed the connection" in text
    _, name = publish(orders, order())
    found, text = state()
    assert found == "up_to_date"
    assert f"last sync OK ({name})" in text
    assert "1 line of 1 order" in text
    running, _ = add_sync(orders, ago=timedelta(seconds=5), status=JobStatus.PROCESSING)
    found, text = state()
    assert found == "syncing"
    assert "Syncing now" in text
    orders.execute("UPDATE job_logs SET heartbeat_at = now() - interval '1 hour' WHERE id = %s", [running])
    found, text = state()
    assert found == "last_sync_failed"
    assert "Last sync interrupted, showing " in text
    orders.execute(
        "UPDATE job_logs SET status = 3, error_summary = 'fetch: <broken>', completed_at = now() WHERE id = %s",
        [running],
    )
    found, text = state()
    assert found == "last_sync_failed"
    assert "Last sync failed, showing " in text
    assert "fetch: &lt;broken&gt;" in text


def test_data_older_than_three_intervals_is_red(web: WebClient, orders: Orders) -> None:
    publish(orders, order(), ago=timedelta(hours=1))
    found = web.get("/open_orders/api/freshness", accept="*/*").json()
    assert (found["state"], found["level"]) == ("up_to_date", "red")
    assert 'class="freshness panel red"' in page(web)


def test_open_page_knows_when_its_banner_will_be_amber_and_red(web: WebClient, orders: Orders) -> None:
    assert "data-amber-at" not in page(web)
    publish(orders, order())
    text = page(web)
    amber, red = (datetime.fromisoformat(moment) for moment in re.findall(r'data-(?:amber|red)-at="([^"]+)"', text))
    assert datetime.now(UTC) < amber < red
    assert "level-word" in text


def test_banner_alone_has_no_page_around_it(web: WebClient, orders: Orders) -> None:
    publish(orders, order())
    text = page(web, "freshness")
    assert text.lstrip().startswith("<section")

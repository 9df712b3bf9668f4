from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from open_orders.job_status import JobStatus
from tests.integration.erp import Erp, Sync, order
from tests.web.open_orders import add_rejected, add_sync, publish
from tests.web.web_client import WebClient

Orders = psycopg.Connection[Any]


def get(web: WebClient, path: str) -> str:
    answer = web.get(f"/open_orders/{path}")
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<(?!/?(a|details|option)\b)[^>]*>", "", answer.text))


def test_changes_of_a_real_sync_are_shown_with_old_and_new_value(
    web: WebClient,
    orders: Orders,
    sync: Sync,
    erp: Erp,
) -> None:
    erp.rows = [order("SO1"), order("SO2"), order("SO3")]
    sync.run()
    assert "filled an empty table: all 3 lines" in get(web, "changes")
    erp.rows = [order("SO1"), order("SO2", amount_open=Decimal("99999999999.1234"), due_date=None), order("SO4")]
    sync.run()
    text = get(web, "changes")
    assert "All 3" in text
    assert "Amount open old 1,234.00 new 99,999,999,999.1234" in text
    assert "Due date old 2026-11-20 new none" in text
    assert "SO3" not in get(web, "changes?kind=new")
    closed = get(web, "changes?kind=closed")
    assert "SO3" in closed
    assert "was open with 40, 1,234.00 EUR" in closed
    found = web.get("/open_orders/api/changes?kind=changed", accept="*/*").json()
    [change] = found["changes"]
    assert change["key"] == {"order_number": "SO2", "line_number": 1}
    assert change["values"] == [
        {"column": "due_date", "before": "2026-11-20", "after": None},
        {"column": "amount_open", "before": "1234.0000", "after": "99999999999.1234"},
    ]


def test_changes_page_by_page_and_of_an_earlier_sync(
    web: WebClient,
    orders: Orders,
    sync: Sync,
    erp: Erp,
) -> None:
    erp.rows = [order("SO0")]
    sync.run()
    erp.rows = [order(f"SO{number:03}") for number in range(60)] + [order("SO0")]
    run = sync.run()
    [(name,)] = orders.execute("SELECT name FROM job_logs WHERE run_id = %s", [run.run_id]).fetchall()
    first = get(web, "changes")
    assert "SO049" in first
    assert "SO050" not in first
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    assert "SO050" in get(web, f"changes{following.replace('&amp;', '&')}")
    sync.run()
    assert "changed nothing" in get(web, "changes")
    assert "SO049" in get(web, f"changes?sync={name}")
    assert "no change of this kind" in get(web, f"changes?sync={name}&kind=closed")


def test_changes_that_are_not_kept_any_more_are_said_to_be(web: WebClient, orders: Orders) -> None:
    _, name = add_sync(orders, updated=3, total_after=9)
    assert "no longer kept" in get(web, f"changes?sync={name}")
    _, failed = add_sync(orders, ago=timedelta(minutes=9), status=JobStatus.ERROR)
    assert "did not publish" in get(web, f"changes?sync={failed}")
    assert web.get("/open_orders/changes?sync=20000101_000000").status_code == 404


def test_changes_of_a_name_that_no_database_holds_are_not_found(web: WebClient) -> None:
    assert web.get("/open_orders/changes?sync=%00").status_code == 404
    assert web.get("/open_orders/api/changes?sync=a%00b").status_code == 404


def test_changes_before_any_sync_say_so(web: WebClient) -> None:
    assert "no sync has succeeded" in get(web, "changes")
    assert web.get("/open_orders/api/changes", accept="*/*").json() == {"sync": None, "changes": [], "next": None}


def test_rejected_orders_show_reason_and_row_and_are_linked_from_the_banner(web: WebClient, orders: Orders) -> None:
    old, _ = add_sync(orders, ago=timedelta(hours=2))
    synced, name = publish(orders, order(), rejected=2)
    add_rejected(orders, old, "order_number is missing", number=None)
    add_rejected(orders, synced, "quantity_open 'many' is not a number", number="SO7", quantity_open="many")
    add_rejected(orders, synced, "not seen again", occurrences=0, number="SO8")
    assert 'href="/open_orders/rejected"' in get(web, "")
    assert "2 rejected" in get(web, "")
    text = get(web, "rejected")
    assert "quantity_open &#39;many&#39; is not a number" in text
    assert "SO7" in text
    assert name in text
    assert "order_number is missing" not in text
    assert "SO8" not in text
    assert "order_number is missing" in get(web, "rejected?scope=all")
    found = web.get("/open_orders/api/rejected", accept="*/*").json()
    assert [(row["row"]["order_number"], row["last_sync"]) for row in found["rejected"]] == [("SO7", name)]


@pytest.mark.parametrize("number", ["", "  "])
def test_rejected_order_without_a_number_has_a_name_for_a_screen_reader(
    web: WebClient, orders: Orders, number: str
) -> None:
    synced, _ = publish(orders, order(), rejected=1)
    add_rejected(orders, synced, "order_number is empty", number=number)
    answer = web.get("/open_orders/rejected").text
    assert re.search(r'<th scope="row"><span class="muted">\(empty\)</span></th>', answer)


def test_no_rejected_order_is_said(web: WebClient, orders: Orders) -> None:
    assert "no sync has succeeded" in get(web, "rejected")
    publish(orders, order())
    assert "The last sync rejected nothing." in get(web, "rejected")
    assert "No row was ever rejected." in get(web, "rejected?scope=all")


def test_rejected_orders_page_by_page(web: WebClient, orders: Orders) -> None:
    synced, _ = publish(orders, order(), rejected=60)
    for number in range(60):
        add_rejected(orders, synced, f"reason {number:02}", number=f"SO{number}")
    first = get(web, "rejected")
    assert "reason 59" in first
    assert "reason 09" not in first
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    assert "reason 09" in get(web, f"rejected{following}")


def test_number_of_queries_does_not_grow_with_changes_and_rejects(
    web: WebClient, orders: Orders, queries: list[str]
) -> None:
    synced, _ = publish(orders, order(), updated=40, rejected=40)
    counted = []
    for _ in range(2):
        queries.clear()
        get(web, "changes")
        get(web, "rejected")
        counted.append(len(queries))
        for number in range(40):
            add_rejected(orders, synced, f"reason {number}", number=f"SO{number}")
            orders.execute(
                """INSERT INTO open_order_changes (contract, job_log_id, kind, key, after)
                   VALUES ('open_orders', %s, 'new', '{"order_number": "SO1", "line_number": 1}', '{}')""",
                [synced],
            )
    assert counted[0] == counted[1]

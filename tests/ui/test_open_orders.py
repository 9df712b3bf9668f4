"""The stories with the list of open orders: search, filter, sort, page, export."""

from __future__ import annotations

import csv
import re
import zipfile
from datetime import datetime

import psycopg
from playwright.sync_api import Download, Page, expect

from tests.e2e.running_sandbox import RunningSandbox
from tests.ui.conftest import OpenPage


def total(page: Page) -> int:
    return int(page.get_by_role("group", name="Totals").locator("strong").first.inner_text().replace(",", ""))


def test_banner_says_as_of_when_the_list_is_and_leads_to_that_sync(
    open_page: OpenPage, running: RunningSandbox
) -> None:
    page = open_page("/open_orders/")
    banner = page.get_by_role("region", name="Freshness")
    expect(banner).to_contain_text(re.compile(r"Data as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+03:00, .*"))
    name = banner.get_by_role("link", name=re.compile(r"^\d{8}_\d{6}$")).first.inner_text()
    banner.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_list_is_filtered_searched_and_sorted(open_page: OpenPage, running: RunningSandbox) -> None:
    page = open_page("/open_orders/")
    page.get_by_role("checkbox", name=re.compile("overdue")).check()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile("overdue=1"))
    shown = page.get_by_role("table").get_by_role("row").count() - 1
    assert 0 < shown <= total(page)
    assert page.get_by_role("table").locator("td .overdue").count() == shown
    page.get_by_role("link", name="Due", exact=False).first.click()
    expect(page).to_have_url(re.compile("overdue=1.*sort=|sort=.*overdue=1"))

    [any_order] = running.query("SELECT order_number FROM open_orders ORDER BY 1 LIMIT 1")
    number = any_order["order_number"]
    page = open_page("/open_orders/")
    page.get_by_label("Order, customer or item").fill(number)
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile(number))
    assert set(page.get_by_role("table").get_by_role("rowheader").locator("bdi").all_inner_texts()) == {number}
    page.get_by_label("Order, customer or item").fill("there is no such order")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("main")).to_contain_text("No open order matches this filter.")


def test_page_that_came_before_everything_was_found_completes_itself(
    open_page: OpenPage, running: RunningSandbox
) -> None:
    newest = (
        "SELECT id FROM job_logs WHERE status = 2 AND job_name = 'sync_open_orders' ORDER BY created_at DESC LIMIT 1"
    )
    with psycopg.connect(running.orders_dsn) as holder:
        # For so many no request waits.
        holder.execute(f"UPDATE job_logs SET total_after = total_after + 1000000 WHERE id = ({newest})")
        holder.commit()
        holder.execute("LOCK TABLE open_orders")
        page = open_page("/open_orders/?q=1&sort=due_date")
        expect(page.get_by_role("main")).to_contain_text(re.compile(r"Looking through [\d,]+ lines… What is found"))
        expect(page.get_by_role("group", name="Totals")).to_contain_text("Counting")
        expect(page.get_by_role("table")).to_have_count(0)
        holder.rollback()
        expect(page.get_by_role("table").get_by_role("row").nth(1)).to_be_visible()
        expect(page.get_by_role("group", name="Totals")).to_contain_text(re.compile(r"\d lines? of \d.*filtered"))
        expect(page.get_by_role("main")).not_to_contain_text("Looking through")
        holder.execute("UPDATE job_logs SET total_after = total_after - 1000000 WHERE total_after > 1000000")


def test_pages_show_every_line_once(open_page: OpenPage, running: RunningSandbox) -> None:
    [warehouse] = running.query("SELECT warehouse FROM open_orders GROUP BY 1 ORDER BY count(*) LIMIT 1")
    page = open_page(f"/open_orders/?warehouse={warehouse['warehouse']}&sort=-due_date")
    expected, seen = total(page), []
    while True:
        rows = page.get_by_role("table").locator("tbody tr")
        seen += rows.evaluate_all(
            "rows => rows.map(row => row.querySelector('th').textContent.trim() + row.cells[1].textContent)"
        )
        following = page.get_by_role("link", name="next", exact=False)
        if not following.count():
            break
        following.click()
        page.wait_for_load_state()
    assert len(seen) == len(set(seen)) == expected


def download_shown(open_page: OpenPage, export: str) -> tuple[int, Download]:
    """Return the total that a page shows, and what its link for an export sends: both before or after any sync."""
    for _ in range(3):
        # Inside Airflow's frame, which has to allow it.
        page = open_page("/plugin/open-orders/open_orders/?overdue=1")
        frame = page.frame_locator("iframe")
        freshness = frame.get_by_role("region", name="Freshness")
        shown = freshness.get_attribute("data-as-of")
        total = int(frame.get_by_role("group", name="Totals").locator("strong").first.inner_text().replace(",", ""))
        with page.expect_download() as downloading:
            frame.get_by_role("link", name=export).click()
        page.reload()
        if freshness.get_attribute("data-as-of") == shown:
            return total, downloading.value
    raise AssertionError("a sync came between each time")


def test_export_holds_what_is_filtered_as_of_when(open_page: OpenPage) -> None:
    expected, download = download_shown(open_page, "CSV")
    rows = list(csv.DictReader(download.path().read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == expected
    [as_of] = {row["data_as_of"] for row in rows}
    assert datetime.fromisoformat(as_of).utcoffset() is not None
    assert re.search(r"\d{8}", download.suggested_filename)
    expected, download = download_shown(open_page, "XLSX")
    with zipfile.ZipFile(download.path()) as book:
        assert book.read("xl/worksheets/sheet1.xml").count(b"<row ") >= expected


def sync_with_changes(running: RunningSandbox) -> None:
    """Let a sync put right what is wrong in the table; again, should a scheduled one have come first."""
    for attempt in range(3):
        running.query("UPDATE open_orders SET warehouse = 'moved' WHERE line_number = 1 RETURNING 1")
        run_id = f"changes_{attempt}"
        running.call_api("POST", "dagRuns", {"logical_date": None, "dag_run_id": run_id})
        if running.await_end(run_id)["updated"]:
            return


def test_changes_of_the_last_sync_and_rejected_orders_are_a_click_away(
    open_page: OpenPage, running: RunningSandbox
) -> None:
    sync_with_changes(running)
    page = open_page("/open_orders/")
    page.get_by_role("link", name=re.compile(r"^What changed in the last sync")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("changed"))
    page.get_by_role("link", name="Open Orders").click()
    page.get_by_role("link", name=re.compile(r"\d+ rejected")).click()
    expect(page.get_by_role("table")).to_contain_text("order_number")

"""What moves by itself on an open page: a run that is triggered, its messages, its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.running_sandbox import RUN_TIMEOUT_S, RunningSandbox
from tests.ui.conftest import OpenPage

BATCHES = 7
TOP = "element => element.getBoundingClientRect().top"
INSERT_LOG = """
    INSERT INTO job_logs (name, job_name, status, dag_id, run_id, trigger, started_at, heartbeat_at, step)
    VALUES (%s, 'nightly_report', 1, 'nightly_report', %s, 'manual', now(), now() + interval '1 hour', 'import_batches')
    RETURNING id
"""
INSERT_DETAIL = """
    INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message)
    VALUES (%s, 'info', 'import_batches', 1, %s)
"""


class GrowingLog:
    """The log of another job that runs, written as the hook would write it."""

    def __init__(self, orders: psycopg.Connection[Any], name: str) -> None:
        self.name = name
        self._orders = orders
        row = orders.execute(INSERT_LOG, [name, name]).fetchone()
        assert row
        self._id = row[0]

    def say(self, *messages: str) -> None:
        for message in messages:
            self._orders.execute(INSERT_DETAIL, [self._id, message])

    def succeed(self) -> None:
        self._orders.execute(
            "UPDATE job_logs SET status = 2, completed_at = now(), updated_at = now() WHERE id = %s", [self._id]
        )


@pytest.fixture
def growing(running: RunningSandbox, request: pytest.FixtureRequest) -> Iterator[GrowingLog]:
    with psycopg.connect(running.orders_dsn, autocommit=True) as orders:
        log = GrowingLog(orders, request.node.name)
        yield log
        log.succeed()


def is_scrolled_to_end(page: Page) -> bool:
    return bool(page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 2"))


def test_run_that_is_triggered_on_the_page_is_followed_to_its_end(open_page: OpenPage, running: RunningSandbox) -> None:
    page = open_page("/job_logs/")
    button = page.locator("#live-run-now a")
    # A scheduled run may be under way: the button waits for its end, as a reader does.
    expect(button).to_be_visible(timeout=RUN_TIMEOUT_S * 1000)
    button.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Run sync_open_orders now")
    dialog.locator("[name=batch_size]").fill("500")
    with psycopg.connect(running.orders_dsn) as orders:
        # The run waits before it empties staging, so that there is time to look at it.
        orders.execute("LOCK TABLE open_orders_staging IN ACCESS EXCLUSIVE MODE")
        dialog.get_by_role("button", name="Run now").click()
        expect(dialog).to_be_hidden()
        # The row comes by itself, and while it runs there is no second run to start.
        row = page.get_by_role("row").filter(has_text="processing").filter(has_text="by admin")
        row.wait_for(timeout=60_000)
        expect(page.locator("#live-run-now [aria-disabled=true]")).to_be_visible()
        name = row.get_by_role("link").inner_text()
        row.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.locator("#live-summary .badge")).to_contain_text("processing")
    badge = page.locator("#live-summary .badge").first
    expect(badge).to_contain_text("success", timeout=RUN_TIMEOUT_S * 1000)
    expect(page.locator("#live-said")).to_have_text("The run has ended: success")

    [log] = running.query("SELECT id FROM job_logs WHERE name = %s", name)
    said = running.query("SELECT message FROM job_log_details WHERE job_log_id = %s ORDER BY created_at, id", log["id"])
    lines = page.locator("#lines .message")
    expect(lines).to_have_count(len(said))
    assert lines.all_inner_texts() == [row["message"] for row in said]
    assert any(row["message"].startswith("Batch 2/") for row in said)


def test_new_lines_are_followed_until_the_reader_scrolls_up(open_page: OpenPage, growing: GrowingLog) -> None:
    growing.say(*(f"line {number}" for number in range(80)))
    page = open_page(f"/job_logs/{growing.name}")
    expect(page.get_by_label("follow")).to_be_checked()
    growing.say("a new line")
    expect(page.locator("#lines")).to_contain_text("a new line")
    page.wait_for_function("innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
    page.mouse.move(600, 400)
    page.mouse.wheel(0, -2000)
    expect(page.get_by_label("follow")).not_to_be_checked()
    growing.say("another line")
    expect(page.locator("#lines")).to_contain_text("another line")
    assert not is_scrolled_to_end(page)


def test_progress_of_the_batches_moves(open_page: OpenPage, growing: GrowingLog) -> None:
    growing.say(f"Batch 1/{BATCHES}: imported 500 orders")
    page = open_page(f"/job_logs/{growing.name}")
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "1")
    growing.say(f"Batch 2/{BATCHES}: imported 500 orders", f"Batch 3/{BATCHES}: imported 500 orders")
    expect(bar).to_have_attribute("value", "3")
    expect(bar).to_have_attribute("max", str(BATCHES))
    growing.succeed()
    expect(bar).to_have_count(0)


def test_list_is_updated_without_losing_scroll_and_focus(open_page: OpenPage, growing: GrowingLog) -> None:
    page = open_page("/job_logs/")
    row = page.get_by_role("row").filter(has_text=growing.name)
    expect(row).to_contain_text("processing")
    link = page.get_by_role("table").get_by_role("rowheader").nth(15).get_by_role("link")
    link.focus()
    focused, height = link.get_attribute("href"), link.evaluate(TOP)
    assert page.evaluate("scrollY") > 0
    growing.succeed()
    expect(row).to_contain_text("success")
    assert page.evaluate("document.activeElement.getAttribute('href')") == focused
    # Where the reader sees it: the browser makes up for rows above that have become lower.
    assert page.locator(f"table a[href='{focused}']").evaluate(TOP) == height


def test_hidden_page_asks_nothing_and_catches_up_when_it_is_shown(open_page: OpenPage, growing: GrowingLog) -> None:
    page = open_page(f"/job_logs/{growing.name}")
    growing.say("before")
    expect(page.locator("#lines")).to_contain_text("before")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { get: () => window.isHidden ?? true, configurable: true })"
    )
    # What was asked before the page was hidden is answered.
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    growing.say("meanwhile")
    # Three times as long as the page waits between two questions.
    page.wait_for_timeout(4500)
    assert asked == []
    page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#lines")).to_contain_text("meanwhile")
    assert asked

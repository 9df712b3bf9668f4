"""The stories of the operations administrator with the history: find, filter, page, read one log."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.running_sandbox import RunningSandbox
from tests.ui.conftest import OpenPage


def names(page: Page) -> list[str]:
    return page.get_by_role("table").get_by_role("rowheader").get_by_role("link").all_inner_texts()


def test_history_can_be_paged_back_and_forth(open_page: OpenPage, running: RunningSandbox) -> None:
    page = open_page("/job_logs/?status=success")
    first = names(page)
    assert len(first) == 25
    page.get_by_role("link", name="older").click()
    page.wait_for_url(re.compile("before="))
    second = names(page)
    assert len(second) == 25
    assert max(second) < min(first)
    page.get_by_role("link", name="newer").click()
    page.wait_for_url(re.compile("after="))
    assert names(page) == first


def test_errors_are_one_click_away_and_lead_to_their_reason(open_page: OpenPage, running: RunningSandbox) -> None:
    page = open_page("/job_logs/")
    page.get_by_role("list", name="Status").get_by_role("link", name="Error").click()
    page.wait_for_url(re.compile(r"status=error"))
    logs = running.query("SELECT name FROM job_logs WHERE status = 3 ORDER BY created_at DESC, id DESC")
    assert names(page) == [log["name"] for log in logs][:25]
    page.get_by_role("link", name=names(page)[-1]).click()
    expect(page.get_by_role("status").first).to_contain_text("Failed in fetch. SQL Server closed the connection")
    page.get_by_role("link", name="Job Logs").click()
    expect(page).to_have_url(re.compile(r"/job_logs/\?status=error"))


def test_filters_are_kept_in_the_address(open_page: OpenPage) -> None:
    page = open_page("/job_logs/")
    page.get_by_label("Name, error or message").fill("does not answer")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile(r"q=does\+not\+answer"))
    assert len(names(page)) == 1
    page.reload()
    expect(page.get_by_label("Name, error or message")).to_have_value("does not answer")
    page.get_by_label("Name, error or message").fill("no such words")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("main")).to_contain_text("No job log matches these filters.")
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url(re.compile(r"/job_logs/$"))
    assert len(names(page)) == 25


def test_strip_shows_gaps_and_is_walked_with_the_keyboard(open_page: OpenPage) -> None:
    page = open_page("/job_logs/")
    strip = page.get_by_role("list", name=re.compile("The last 24 hours"))
    assert strip.locator(".cell.missed").count() >= 3
    assert strip.locator(".cell.error").count() >= 3
    strip.get_by_role("link").last.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    focused = page.evaluate("document.activeElement.getAttribute('href')")
    assert focused == strip.get_by_role("link").nth(-3).get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{focused}")


def test_one_log_is_linked_copied_downloaded_and_searched(open_page: OpenPage, running: RunningSandbox) -> None:
    [log] = running.query("SELECT id, name FROM job_logs WHERE run_id LIKE 'quickstart%%' AND status = 2 LIMIT 1")
    said = running.query("SELECT message FROM job_log_details WHERE job_log_id = %s ORDER BY created_at, id", log["id"])
    page = open_page(f"/job_logs/{log['name']}")
    lines = page.locator("#lines .line")
    expect(lines).to_have_count(len(said))
    assert lines.locator(".message").all_inner_texts() == [row["message"] for row in said]

    page.get_by_role("link", name="Line 2", exact=True).click()
    expect(page).to_have_url(re.compile(r"#L2$"))
    page.get_by_role("link", name="Line 4", exact=True).click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile(r"#L2-L4$"))
    expect(page.locator(".line.marked")).to_have_count(3)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="copy").click()
    expect(page.get_by_role("button", name="copied 3 lines")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.split("  ")[-1] for line in copied] == [row["message"] for row in said[1:4]]

    page.get_by_label("wrap").uncheck()
    expect(page.locator("#lines")).to_have_class(re.compile("nowrap"))
    with page.expect_download() as downloading:
        page.get_by_role("link", name="download .txt").click()
    text = downloading.value.path().read_text()
    assert downloading.value.suggested_filename == f"job_log_{log['name']}.txt"
    assert all(row["message"] in text for row in said)

    page.get_by_label("Search messages").fill("batch")
    page.get_by_label("Search messages").press("Enter")
    page.wait_for_url(re.compile(r"q=batch"))
    assert lines.locator(".message").all_inner_texts() == [
        row["message"] for row in said if "batch" in row["message"].lower()
    ]


def test_log_without_a_sign_of_life_is_shown_as_interrupted(open_page: OpenPage, running: RunningSandbox) -> None:
    running.query(
        """INSERT INTO job_logs
               (name, job_name, status, dag_id, run_id, trigger, started_at, heartbeat_at, created_at, step)
           SELECT to_char(at, 'YYYYMMDD_HH24MISS') || '_9', 'nightly_report', 1, 'nightly_report', 'dead', 'manual',
                  at, at, at, 'fetch' FROM (SELECT now() - interval '1 day' AS at) AS moment RETURNING name"""
    )
    page = open_page("/job_logs/?status=interrupted")
    expect(page.get_by_role("table")).to_contain_text("interrupted")
    page.get_by_role("link", name=re.compile("_9$")).click()
    expect(page.get_by_role("main")).to_contain_text("Interrupted in fetch. No sign of life since")

"""Every page for everybody: axe in both themes, narrow screens, no JavaScript, hostile text."""

from __future__ import annotations

from urllib.parse import quote

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from sandbox.browser import NARROW, Theme
from tests.e2e.running_sandbox import RunningSandbox
from tests.ui.conftest import OpenPage

HOSTILE = "<script>alert(1)</script> \x1b[31mred\x1b[0m \u202egnihton " + "W" * 10_000
# Address, and the status that it answers with.
PAGES = {
    "job logs": ("/job_logs/", 200),
    "no match": ("/job_logs/?q=nothing+like+this", 200),
    "job log": ("/job_logs/{success}", 200),
    "failed job log": ("/job_logs/{error}", 200),
    "hostile job log": ("/job_logs/{hostile}", 200),
    "run without log": ("/job_logs/run?dag_id=sync_open_orders&run_id=none", 200),
    "unknown job log": ("/job_logs/19990101_000000", 404),
    "API of job logs": ("/job_logs/api/docs", 200),
    "open orders": ("/open_orders/", 200),
    "overdue orders": ("/open_orders/?overdue=1&sort=-due_date", 200),
    "changes": ("/open_orders/changes?sync={success}", 200),
    "rejected": ("/open_orders/rejected", 200),
    "API of open orders": ("/open_orders/api/docs", 200),
}


@pytest.fixture(scope="module")
def names(running: RunningSandbox) -> dict[str, str]:
    """Return the name of a job log of each kind."""
    with psycopg.connect(running.orders_dsn, autocommit=True) as orders:
        orders.execute(
            """WITH log AS (
                   INSERT INTO job_logs (name, job_name, status, dag_id, run_id, trigger, triggered_by, started_at,
                       completed_at, heartbeat_at, error_summary)
                   VALUES ('20260101_000000', %(text)s, 3, 'other', 'hostile', 'manual', %(text)s,
                       now(), now(), now(), %(text)s)
                   RETURNING id)
               INSERT INTO job_log_details (job_log_id, level, message) SELECT id, 'error', %(text)s FROM log""",
            {"text": HOSTILE},
        )
    [success] = running.query("SELECT name FROM job_logs WHERE run_id LIKE 'quickstart%%' AND status = 2 LIMIT 1")
    [error] = running.query("SELECT name FROM job_logs WHERE status = 3 AND job_name = 'sync_open_orders' LIMIT 1")
    return {"success": success["name"], "error": error["name"], "hostile": "20260101_000000"}


def violations(page: Page, context: str = "document") -> list[str]:
    found = Axe().run(page, context=None if context == "document" else context).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page_name", PAGES)
def test_page_has_no_axe_violation_and_fits_a_narrow_screen(
    open_page: OpenPage, names: dict[str, str], page_name: str, theme: Theme
) -> None:
    path, status = PAGES[page_name]
    page = open_page(path.format(**names), theme=theme, expected_failure=status if status >= 400 else None)
    expect(page.locator("html")).to_have_class(theme)
    assert violations(page) == []
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panel_on_the_home_page_has_no_axe_violation(open_page: OpenPage, theme: Theme) -> None:
    page = open_page("/", theme=theme)
    expect(page.locator(".oop .oop-cell").first).to_be_visible()
    assert violations(page, ".oop") == []
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert page.locator(".oop").evaluate("panel => panel.scrollWidth <= panel.clientWidth + 1")


def test_hostile_text_is_shown_and_never_run(open_page: OpenPage, names: dict[str, str]) -> None:
    page = open_page(f"/job_logs/{names['hostile']}")
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.reload()
    message = page.locator("#lines .message").inner_text()
    assert message.startswith("<script>alert(1)</script> ␛[31mred␛[0m ⟨U+202E⟩gnihton WWW")
    page.goto(f"/job_logs/?q={quote('<script>alert(2)</script>')}")
    expect(page.get_by_label("Name, error or message")).to_have_value("<script>alert(2)</script>")
    assert ran == []


@pytest.mark.parametrize(
    "path", ["/job_logs/", "/job_logs/{success}", "/open_orders/", "/open_orders/changes?sync={success}"]
)
def test_page_is_read_and_left_without_javascript(open_page: OpenPage, names: dict[str, str], path: str) -> None:
    page = open_page(path.format(**names), scripts=False)
    shown = page.locator("table tbody tr, #lines .line")
    assert shown.count() > 3
    expect(shown.first).to_be_visible()
    # What needs JavaScript is not offered.
    for name in ("wrap", "follow", "copy"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.get_by_role("link", name="Job Logs").or_(page.get_by_role("link", name="Open Orders")).first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_keyboard_alone_reaches_and_opens_a_log(open_page: OpenPage) -> None:
    page = open_page("/job_logs/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    first = page.get_by_role("table").get_by_role("rowheader").first.get_by_role("link")
    for _ in range(60):
        page.keyboard.press("Tab")
        if first.evaluate("link => link === document.activeElement"):
            break
    expect(first).to_be_focused()
    outline = first.evaluate("link => getComputedStyle(link).outlineStyle")
    assert outline != "none"
    name = first.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_dark_page_is_printed_light(open_page: OpenPage) -> None:
    page = open_page("/open_orders/", theme="dark")
    assert background(page) == "rgb(22, 29, 45)"
    page.emulate_media(media="print")
    assert background(page) == "rgb(255, 255, 255)"


def test_page_without_javascript_has_the_systems_theme(open_page: OpenPage) -> None:
    page = open_page("/job_logs/", scripts=False)
    for theme, expected in (("dark", "rgb(22, 29, 45)"), ("light", "rgb(255, 255, 255)")):
        page.emulate_media(color_scheme=theme)
        assert background(page) == expected

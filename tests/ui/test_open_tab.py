"""A page that stays open never calls stale what is fresh nor fresh what is stale, and scrolls as its reader wants."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox.browser import open_context
from tests.e2e.running_sandbox import RunningSandbox
from tests.ui.airflow_client import Airflow
from tests.ui.conftest import OpenPage
from tests.ui.test_live import GrowingLog, is_scrolled_to_end

LONG = 2500
INSERT_LINES = """
    INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message)
    SELECT id, 'info', 'work', 1, 'message ' || number FROM job_logs, generate_series(1, %s) AS number WHERE name = %s
"""


@pytest.fixture
def long_log(running: RunningSandbox, request: pytest.FixtureRequest) -> Iterator[GrowingLog]:
    """Yield a log that runs and has more lines than a page shows."""
    with psycopg.connect(running.orders_dsn, autocommit=True) as orders:
        log = GrowingLog(orders, request.node.originalname)
        orders.execute(INSERT_LINES, [LONG, log.name])
        yield log
        log.succeed()


@pytest.fixture
def tab(chromium: Browser, airflow: Airflow) -> Iterator[Page]:
    """Yield a page of its own, signed in, whose clock the test turns and whose network it cuts."""
    context = open_context(chromium, airflow.url)
    context.add_cookies([{"name": "_token", "value": airflow.token("admin"), "url": airflow.url}])
    page = context.new_page()
    page.clock.install()
    yield page
    context.close()


def test_scrollbar_lets_follow_mode_go_and_the_end_takes_hold_again(open_page: OpenPage, long_log: GrowingLog) -> None:
    page = open_page(f"/job_logs/{long_log.name}")
    follow = page.get_by_label("follow")
    expect(follow).to_be_checked()
    page.wait_for_function("innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
    # As a scrollbar, a find in the page or a screen reader does: no wheel and no key.
    page.evaluate("window.scrollTo(0, 200)")
    expect(follow).not_to_be_checked()
    long_log.say("meanwhile")
    expect(page.locator("#lines")).to_contain_text("meanwhile")
    assert not is_scrolled_to_end(page)
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    expect(follow).to_be_checked()


def test_long_log_is_followed_to_its_last_line_when_it_ends(open_page: OpenPage, long_log: GrowingLog) -> None:
    page = open_page(f"/job_logs/{long_log.name}")
    expect(page.locator(f"#L{LONG}")).to_be_visible()
    long_log.say("the last words")
    long_log.succeed()
    expect(page.locator("#live-said")).to_have_text("The run has ended: success")
    expect(page.locator(f"#L{LONG + 1}")).to_contain_text("the last words")


def test_permalink_leads_to_its_line_wherever_that_is(open_page: OpenPage, long_log: GrowingLog) -> None:
    long_log.succeed()
    page = open_page(f"/job_logs/{long_log.name}#L2000-L2003")
    expect(page.locator(".line.marked")).to_have_count(4)
    expect(page.locator("#L2000")).to_be_in_viewport()
    assert urlsplit(page.url).fragment == "L2000-L2003"


@pytest.mark.parametrize(("path", "part"), [("/job_logs/", ".verdict"), ("/open_orders/", ".freshness")])
def test_page_that_is_cut_off_turns_red_and_says_so(tab: Page, path: str, part: str) -> None:
    tab.goto(path)
    expect(tab.locator(part)).to_be_visible()
    tab.context.set_offline(True)
    tab.clock.run_for(40 * 60_000)
    expect(tab.locator(f"{part} .level-word")).to_contain_text("Not syncing")
    expect(tab.locator("#offline")).to_contain_text("the web server does not answer")


def test_page_whose_session_has_ended_says_so_and_lets_no_browser_ask_for_a_password(tab: Page) -> None:
    tab.goto("/job_logs/")
    tab.context.clear_cookies()
    with tab.expect_response("**/api/activity") as asked:
        tab.clock.run_for(60_000)
    assert asked.value.status == 401
    assert asked.value.headers["www-authenticate"].startswith("Bearer ")
    expect(tab.locator("#offline")).to_contain_text("you are signed out of Airflow")


def test_idle_list_asks_nothing_but_its_light_question(tab: Page) -> None:
    tab.goto("/job_logs/")
    version = tab.locator("#job-logs").get_attribute("data-version")
    # Whatever the sandbox does meanwhile: for this page nothing runs.
    tab.route("**/api/activity", lambda route: route.fulfill(json={"version": version, "active": 0}))
    tab.clock.run_for(20_000)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(urlsplit(request.url).path))
    for _ in range(8):
        with tab.expect_response("**/api/activity"):
            tab.clock.run_for(15_000)
    assert set(asked) == {"/job_logs/api/activity"}

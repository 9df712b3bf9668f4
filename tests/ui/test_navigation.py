"""The ways between Airflow's pages and ours, in a real browser on real Airflow processes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.running_sandbox import RunningSandbox
from tests.ui.conftest import OpenPage


def test_home_panel_leads_to_a_job_log_and_back_to_the_jobs_monitor(
    open_page: OpenPage, running: RunningSandbox
) -> None:
    page = open_page("/")
    panel = page.get_by_role("region", name="Open orders sync")
    expect(panel).to_contain_text(re.compile(r"Last success .* ago · \d+ of 288 expected runs in 24 h"))
    assert panel.locator(".oop-cell").count() in (288, 289)
    expect(panel.get_by_role("list", name="Last job logs").get_by_role("link")).to_have_count(5)

    panel.get_by_role("link", name="Job Logs").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Job Logs")
    first = frame.get_by_role("table").get_by_role("rowheader").first
    name = first.get_by_role("link").inner_text()
    first.get_by_role("link").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text(name)
    expect(page).to_have_url(re.compile(f"/plugin/job-logs/job_logs/{name}"))
    page.reload()
    expect(frame.get_by_role("heading", level=1)).to_have_text(name)

    frame.get_by_role("link", name="Job Logs").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Job Logs")
    frame.get_by_role("link", name="Open Orders").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Open Orders")
    expect(frame.get_by_role("link", name="Jobs Monitor")).to_have_count(0)
    frame.get_by_role("link", name="Job Logs").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Job Logs")
    frame.get_by_role("link", name="Jobs Monitor").click()
    expect(page).to_have_url(re.compile(r"/dags/sync_open_orders$"))
    expect(page.get_by_role("heading", name="sync_open_orders")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_sidebar_leads_to_both_areas_with_icons(open_page: OpenPage, theme: str) -> None:
    page = open_page("/", theme=theme)
    for label in ("Job Logs", "Open Orders"):
        page.get_by_role("link", name=label, exact=True).first.click()
        item = page.locator("a", has=page.get_by_role("img")).filter(has_text=label).first
        expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text(label)
        assert item.get_by_role("img").evaluate("image => image.complete && image.naturalWidth > 0")


def test_address_in_airflows_frame_can_be_shared(open_page: OpenPage, running: RunningSandbox) -> None:
    [log] = running.query(
        """SELECT name, (SELECT count(*) FROM job_log_details
                         WHERE job_log_id = job_logs.id AND level = 'error') AS errors
           FROM job_logs WHERE status = 3 ORDER BY id LIMIT 1"""
    )
    page = open_page(f"/plugin/job-logs/job_logs/{log['name']}?level=error")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text(log["name"])
    expect(frame.locator("#lines .line")).to_have_count(log["errors"])
    page = open_page("/plugin/open-orders/open_orders/?overdue=1")
    expect(page.frame_locator("iframe").get_by_role("checkbox", name=re.compile("overdue"))).to_be_checked()


def test_full_pages_lead_to_each_other_without_a_frame(open_page: OpenPage) -> None:
    page = open_page("/job_logs/")
    page.get_by_role("link", name="Open Orders").click()
    expect(page).to_have_url(re.compile(r"/open_orders/$"))
    page.get_by_role("link", name="Job Logs").click()
    expect(page).to_have_url(re.compile(r"/job_logs/$"))
    page.get_by_role("link", name="Jobs Monitor").click()
    expect(page).to_have_url(re.compile(r"/dags/sync_open_orders$"))


def test_tab_of_a_dag_run_shows_its_job_log(open_page: OpenPage, running: RunningSandbox) -> None:
    [log] = running.query("SELECT name, run_id FROM job_logs WHERE run_id LIKE 'quickstart%%' AND status = 2 LIMIT 1")
    page = open_page(f"/dags/sync_open_orders/runs/{log['run_id']}")
    page.get_by_role("link", name="Job Log", exact=True).click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text(log["name"])
    expect(frame.locator("#lines")).to_contain_text("Job finished in ")
    frame.get_by_role("link", name="publish").click()
    expect(page).to_have_url(re.compile(r"/tasks/publish\?try_number=1"))


def test_tab_of_a_run_without_a_job_log_says_why(open_page: OpenPage) -> None:
    page = open_page("/job_logs/run?dag_id=sync_open_orders&run_id=manual__never")
    expect(page.get_by_role("main")).to_contain_text("This run has no job log.")
    page = open_page("/job_logs/run?dag_id=somebody_elses&run_id=manual__1")
    expect(page.get_by_role("main")).to_contain_text("The DAG somebody_elses does not write job logs.")


def test_theme_follows_airflows_while_the_page_is_open(open_page: OpenPage) -> None:
    page = open_page("/plugin/job-logs", theme="light")
    frame = page.frame_locator("iframe")
    expect(frame.locator("html")).to_have_class("light")
    page.get_by_role("button", name="User").click()
    page.get_by_role("menuitem", name="Appearance").click()
    page.get_by_role("menuitemradio", name="Dark Mode").click()
    expect(frame.locator("html")).to_have_class("dark")

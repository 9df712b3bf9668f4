"""Who sees what, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from sandbox.browser import sign_in
from tests.ui.airflow_client import Airflow
from tests.ui.conftest import OpenPage


def test_who_is_not_signed_in_comes_back_to_where_they_were_going(open_page: OpenPage, airflow: Airflow) -> None:
    page = open_page("/job_logs/?status=error", user="")
    expect(page).to_have_url(re.compile("/auth/login/"))
    sign_in(page, "viewer", airflow.passwords["viewer"])
    expect(page).to_have_url(re.compile(r"/job_logs/\?status=error$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Job Logs")


def test_viewer_reads_but_does_not_run(open_page: OpenPage) -> None:
    page = open_page("/", user="viewer")
    expect(page.get_by_role("region", name="Open orders sync")).to_be_visible()
    page.get_by_role("link", name="Job Logs", exact=True).first.click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Job Logs")
    expect(frame.get_by_role("link", name="Run now")).to_have_count(0)


@pytest.mark.parametrize(("path", "area"), [("/job_logs/", "Job Logs"), ("/open_orders/", "Open Orders")])
def test_without_the_permission_a_page_says_which_one_is_missing(open_page: OpenPage, path: str, area: str) -> None:
    page = open_page(path, user="other", expected_failure=403)
    expect(page.get_by_role("main")).to_contain_text(f'lacks the permission "can read" on "{area}"')


def test_without_the_permission_there_is_no_navigation_and_no_panel(open_page: OpenPage) -> None:
    page = open_page("/", user="other")
    expect(page.get_by_role("link", name="Dags", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    for label in ("Job Logs", "Open Orders"):
        expect(page.get_by_role("link", name=label)).to_have_count(0)
    expect(page.get_by_role("region", name="Open orders sync")).to_have_count(0)

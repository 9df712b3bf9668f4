"""Pictures of the pages, from the sandbox that runs, into docs/screenshots.

A day of sample job logs is added to the sandbox first, so that the pages have something to show.
"""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote

import psycopg
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as BrowserTimeoutError

from sandbox.browser import NARROW, WIDE, Theme, open_chromium, open_context, sign_in
from sandbox.command_line import read_environment
from sandbox.progress import announce
from sandbox.sample_history import add_day
from sandbox.state import REPOSITORY

TARGET = REPOSITORY / "docs" / "screenshots"
LOOKS: dict[str, tuple[Theme, tuple[int, int]]] = {
    "light": ("light", WIDE),
    "dark": ("dark", WIDE),
    "narrow": ("light", NARROW),
}
QUIET_MS = 5_000
JOB_LOGS = "/plugin/job-logs"
OPEN_ORDERS = "/plugin/open-orders"


@dataclass(frozen=True)
class Picture:
    """A page and what it shows when it is ready.

    frame: the address of Airflow's page around it; on a narrow screen the page is taken alone, at `path`.
    """

    name: str
    frame: str
    path: str
    ready: str


def list_pictures(orders: psycopg.Connection[Any]) -> Iterator[Picture]:
    """Yield the pictures to take, with the names of job logs that this sandbox has."""
    success, run_id = _find_log(orders, "status = 2 AND updated > 0 AND run_id NOT LIKE 'scheduled%'")
    failed, _ = _find_log(orders, "status = 3")
    tab = f"/dags/sync_open_orders/runs/{quote(run_id)}/plugin/job-log"
    query = f"/job_logs/run?dag_id=sync_open_orders&run_id={quote(run_id)}"
    yield Picture("home", "", "/", ".oop-cell")
    yield Picture("job_logs", JOB_LOGS, "/job_logs/", "table.job-logs")
    yield Picture("job_log", JOB_LOGS, f"/job_logs/{success}", "#lines .line")
    yield Picture("failed_job_log", JOB_LOGS, f"/job_logs/{failed}", "#lines .line")
    yield Picture("run_tab", tab, query, ".line")
    yield Picture("open_orders", OPEN_ORDERS, "/open_orders/", "table.orders")
    yield Picture("changes", OPEN_ORDERS, f"/open_orders/changes?sync={success}", "table.changes")
    yield Picture("rejected_orders", OPEN_ORDERS, "/open_orders/rejected", "table.rejected")


def _find_log(orders: psycopg.Connection[Any], condition: LiteralString) -> tuple[str, str]:
    statement = "SELECT name, run_id FROM job_logs WHERE job_name = 'sync_open_orders' AND "
    row = orders.execute(statement + condition + " ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        raise SystemExit(f"The sandbox has no job log where {condition}: let it run for a while.")
    return row[0], row[1]


def take(page: Page, picture: Picture, look: str, file: Path) -> None:
    """Write a picture of a page, as soon as it shows what it should."""
    if look == "narrow" or not picture.frame:
        page.goto(picture.path)
        shown = page.locator(picture.ready)
    else:
        page.goto(picture.frame if picture.frame.endswith("/job-log") else picture.frame + picture.path)
        shown = page.frame_locator("iframe").locator(picture.ready)
    shown.first.wait_for()
    # On a busy machine Airflow's page around it never stops asking.
    with suppress(BrowserTimeoutError):
        page.wait_for_load_state("networkidle", timeout=QUIET_MS)
    page.screenshot(path=file, animations="disabled")


def take_all(browser: Browser, url: str, password: str, pictures: list[Picture]) -> None:
    """Take all pictures in all looks."""
    for look, (theme, size) in LOOKS.items():
        context = open_context(browser, url, theme=theme, size=size)
        page = context.new_page()
        page.goto("/job_logs/")
        sign_in(page, "admin", password)
        page.locator("h1").wait_for()
        for picture in pictures:
            with announce(f"{picture.name}, {look}"):
                take(page, picture, look, TARGET / f"{picture.name}_{look}.png")
        context.close()


def main() -> None:
    """Take the pictures; exits with 3 when no sandbox runs."""
    argparse.ArgumentParser(prog="bin/screenshots", description=__doc__).parse_args()
    state, environment = read_environment()
    TARGET.mkdir(parents=True, exist_ok=True)
    dsn = environment["AIRFLOW_CONN_ORDERS_DB"].replace("postgres://", "postgresql://")
    with psycopg.connect(dsn, autocommit=True) as orders:
        add_day(orders)
        pictures = list(list_pictures(orders))
    with open_chromium() as browser:
        take_all(browser, environment["AIRFLOW__API__BASE_URL"], state.read_secret("admin_password"), pictures)
    print(f"{len(pictures) * len(LOOKS)} pictures in {TARGET}")


if __name__ == "__main__":
    main()

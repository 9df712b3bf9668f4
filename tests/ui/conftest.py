from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect

from open_orders.web.permissions import OWN_ROLE
from sandbox.browser import WIDE, Theme, open_chromium, open_context
from sandbox.sample_history import add_day
from tests.e2e.running_sandbox import RunningSandbox
from tests.first_run import FirstRun
from tests.ui.airflow_client import OTHER_ROLE, Airflow

# Two cores that also run a scheduler take their time.
expect.set_options(timeout=20_000)
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def running(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Yield a quickstart that stays up, with a day of history."""
    state_dir = tmp_path_factory.mktemp("pages with spaces") / "state"
    first_run.copy_to(state_dir)
    # Airflow keeps for so many seconds whom a session belongs to; the default of 30 is only longer to wait for.
    (state_dir / "airflow" / "airflow.cfg").write_text("[fab]\ncache_ttl = 5\n")
    sandbox = RunningSandbox(state_dir)
    try:
        with psycopg.connect(sandbox.orders_dsn, autocommit=True) as orders:
            add_day(orders)
        yield sandbox
    finally:
        sandbox.stop()


@pytest.fixture(scope="session")
def airflow(running: RunningSandbox) -> Airflow:
    """Return the sandbox's Airflow, with the users admin, viewer, reader, and other, who may read none of our pages."""
    airflow = Airflow(f"http://127.0.0.1:{running.port}", {"admin": running.admin_password})
    airflow.create_other_role()
    for user, role in (("viewer", "Viewer"), ("reader", OWN_ROLE), ("other", OTHER_ROLE)):
        airflow.create_user(user, role)
    return airflow


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


def is_ours(text: str) -> bool:
    return "/job_logs" in text or "/open_orders" in text


@pytest.fixture
def open_page(chromium: Browser, airflow: Airflow) -> Iterator[OpenPage]:
    """Yield a function that opens an address as a user; afterwards no script of ours may have failed.

    Options: user ("" for nobody), theme, size, scripts (False: without JavaScript), expected_failure: the status of a
    page that is an error.
    """
    contexts: list[BrowserContext] = []
    failures: list[str] = []

    def remember_message(message: ConsoleMessage) -> None:
        if message.type == "error" and is_ours(message.location["url"]):
            failures.append(f"{message.location['url']}: {message.text}")

    def remember_error(error: Error) -> None:
        # Airflow's own scripts have errors, too.
        if is_ours(error.stack or ""):
            failures.append(f"{error.message}\n{error.stack}")

    def opened(
        path: str,
        *,
        user: str = "admin",
        theme: Theme = "light",
        size: tuple[int, int] = WIDE,
        scripts: bool = True,
        expected_failure: int | None = None,
    ) -> Page:
        context = open_context(chromium, airflow.url, theme=theme, size=size, scripts=scripts)
        contexts.append(context)
        if user:
            context.add_cookies([{"name": "_token", "value": airflow.token(user), "url": airflow.url}])
        page = context.new_page()
        page.on("console", remember_message)
        page.on("pageerror", remember_error)
        answer = page.goto(path)
        assert answer
        if expected_failure:
            assert answer.status == expected_failure
            # The browser reports the page itself as an error.
            failures.clear()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert failures == []

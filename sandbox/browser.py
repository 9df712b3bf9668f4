"""Chromium on a running sandbox: found or installed, signed in to Airflow, in a theme."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from sandbox.debian import find_program

Theme = Literal["light", "dark"]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE = (1280, 900)
NARROW = (420, 900)


def find_chromium() -> str:
    """Return the path of Chromium; on Debian, as root, installs it if need be. Raises ProgramMissingError."""
    return find_program(PROGRAMS, "chromium", "Chromium, the browser")


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Yield a browser without a window, closed afterwards."""
    # Chromium's own sandbox refuses to run as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def open_context(
    browser: Browser, url: str, *, theme: Theme = "light", size: tuple[int, int] = WIDE, scripts: bool = True
) -> BrowserContext:
    """Return a profile of its own on Airflow at `url`, in a theme of Airflow's; `scripts`: whether JavaScript runs."""
    width, height = size
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        timezone_id="Europe/Istanbul",
        locale="en-GB",
        java_script_enabled=scripts,
        accept_downloads=True,
    )
    # Where Airflow's UI keeps its choices; what a test chooses there later stays chosen.
    context.add_init_script(f"localStorage.theme ??= '{theme}'")
    return context


def sign_in(page: Page, user: str, password: str) -> None:
    """Sign in with Airflow's own form, which the page shows now."""
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign In").click()

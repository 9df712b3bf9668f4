"""What the scripts of an open page ask, and how often: as plugins/open_orders/web/static has it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

from open_orders.web.static_files import STATIC_DIR

Record = Callable[[str, float], None]


class ViewerError(Exception):
    """A page or an answer was none; the message says which."""


def interval_s(script: str, name: str) -> float:
    """Return a constant of a script, of milliseconds, in seconds: `interval_s("job_logs.js", "IDLE_MS")`."""
    text = (STATIC_DIR / script).read_text()
    found = re.search(rf"\b{name}\b(?: =|:) ([\d_]+)", text)
    if found is None:
        raise ViewerError(f"{script} says no {name}")
    return int(found[1].replace("_", "")) / 1000


@dataclass(frozen=True)
class Viewer:
    """Somebody with a page open; each request's name and milliseconds are told to `record`."""

    browser: httpx.AsyncClient
    record: Record

    async def ask(self, name: str, url: str, accept: str) -> httpx.Response:
        """Return an answer; raises ViewerError for one that a browser would not show."""
        began = time.perf_counter()
        answer = await self.browser.get(url, headers={"accept": accept, "x-requested-with": "fetch"})
        self.record(name, (time.perf_counter() - began) * 1000)
        if not answer.is_success:
            raise ViewerError(f"{url} answered {answer.status_code}: {answer.text[:500]}")
        return answer

    async def page(self, name: str, url: str) -> str:
        """Return a page, or a part of one."""
        return (await self.ask(name, url, "text/html")).text

    async def json(self, name: str, url: str) -> Any:
        """Return what the API answers."""
        return (await self.ask(name, url, "application/json")).json()


async def view_job_logs(viewer: Viewer) -> None:
    """Keep the list of job logs open: the activity, if that changed the list, if a run began or ended the verdict."""
    text = await viewer.page("list of job logs", "/job_logs/")
    version, active = data(text, "version"), int(data(text, "active"))
    often_s, seldom_s = (interval_s("job_logs.js", name) for name in ("ACTIVE_MS", "IDLE_MS"))
    while True:
        await asyncio.sleep(often_s if active else seldom_s)
        found = await viewer.json("activity", "/job_logs/api/activity")
        if found["version"] != version:
            await viewer.page("list of job logs", "/job_logs/")
            if version.split("/")[0] != found["version"].split("/")[0] or active != found["active"]:
                await viewer.page("verdict", "/job_logs/verdict")
        version, active = found["version"], found["active"]


async def follow_job_log(viewer: Viewer, name: str) -> None:
    """Keep a running job log open: is there a message after the last one; if so, the page from there on."""
    url = f"/job_logs/{name}"
    text = await viewer.page("running job log", url)
    last_id, lines, known = int(data(text, "last-id")), int(data(text, "lines")), ""
    while True:
        await asyncio.sleep(interval_s("job_log.js", "EVERY_MS"))
        found = await viewer.json("live tail", f"/job_logs/api{url}/details?after={last_id}&limit=1")
        if found["details"] or found["updated_at"] != known:
            text = await viewer.page("new lines", f"{url}?line={lines + 1}")
            last_id, lines = int(data(text, "last-id")), int(data(text, "lines"))
        known = found["updated_at"]


async def view_open_orders(viewer: Viewer, query: str) -> None:
    """Keep the list of the open orders open; when there is newer data follow the link to it."""
    as_of = await _open_list(viewer, query)
    while True:
        await asyncio.sleep(interval_s("open_orders.js", "everyMs"))
        found = await viewer.json("freshness", "/open_orders/api/freshness")
        if (found["published_by"], found["data_as_of"]) != as_of:
            await viewer.page("banner", "/open_orders/freshness")
            as_of = await _open_list(viewer, query)


async def _open_list(viewer: Viewer, query: str) -> tuple[str, str]:
    url = f"/open_orders/{query}"
    text = await viewer.page("list of open orders", url)
    while data(text, "pending") == "1":
        await asyncio.sleep(interval_s("open_orders.js", "COMPLETE_MS"))
        text = await viewer.page("list of open orders", url)
    found = await viewer.json("freshness", "/open_orders/api/freshness")
    return found["published_by"], found["data_as_of"]


async def view_home(viewer: Viewer) -> None:
    """Keep Airflow's home page with our panel open."""
    while True:
        await viewer.json("panel", "/job_logs/api/panel")
        await asyncio.sleep(interval_s("panel.js", "REFRESH_MS"))


def data(text: str, name: str) -> str:
    """Return the first `data-…` attribute of that name in a page; raises ViewerError."""
    found = re.search(rf'\bdata-{name}="([^"]*)"', text)
    if found is None:
        raise ViewerError(f"A page has no data-{name}: {text[:500]}")
    return unescape(found[1])

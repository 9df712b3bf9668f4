"""What the ERP, a DAG or a user wrote is shown as it is written, and never runs: in pages, in JSON, in scripts."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from open_orders.web.static_files import STATIC_DIR
from tests.web.hostile import MARKUP, TEXT_COLUMNS, Markup, fill, hostile, hostile_name
from tests.web.web_client import WebClient

Orders = psycopg.Connection[Any]
# Each page, and the fields that have to be found on it as they were stored.
PAGES = {
    "/job_logs/": ("job_name", "trigger", "triggered_by", "error_summary", "step"),
    "/job_logs/?job={0}&q={0}": (),
    "/job_logs/verdict": ("error_summary",),
    "/job_logs/{name}": ("trigger", "triggered_by", "step", "error_summary", "message", "task_id"),
    "/job_logs/{name}?q={0}&back={0}": (),
    "/job_logs/run?dag_id={0}&run_id={0}": ("run_id",),
    "/open_orders/": TEXT_COLUMNS,
    "/open_orders/?q={0}&customer={0}&warehouse={0}&status={0}": (),
    "/open_orders/freshness": ("error_summary",),
    "/open_orders/changes": ("key", "customer_code", "customer_name", "warehouse", "currency"),
    "/open_orders/rejected?scope=all": ("reason", *(f"delivered_{name}" for name in TEXT_COLUMNS)),
}


def address(path: str, names: list[str]) -> str:
    return path.replace("{0}", quote(hostile("run_id"), safe="")).replace("{name}", quote(names[1], safe=""))


@pytest.mark.parametrize("path", PAGES)
def test_stored_and_given_text_is_shown_as_it_is_and_runs_nothing(web: WebClient, orders: Orders, path: str) -> None:
    answer = web.get(address(path, fill(orders)))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Markup(answer.text)
    assert page.alien == []
    if "{name}" in path:
        assert hostile_name(0) in page.text
    for field in PAGES[path]:
        assert hostile(field) in page.text, field


def test_title_of_a_page_cannot_be_left(web: WebClient, orders: Orders) -> None:
    names = fill(orders)
    titles = re.findall(r"<title>(.*?)</title>", web.get(f"/job_logs/{quote(names[1], safe='')}").text, re.DOTALL)
    assert "img" in titles[0]
    assert "<" not in titles[0]


@pytest.mark.parametrize(
    "path",
    [
        "/job_logs/api/job_logs",
        "/job_logs/api/job_logs/{name}",
        "/job_logs/api/job_logs/{name}/details",
        "/job_logs/api/panel",
        "/job_logs/api/health",
        "/open_orders/api/open_orders",
        "/open_orders/api/freshness",
        "/open_orders/api/changes",
        "/open_orders/api/rejected?scope=all",
    ],
)
def test_json_is_never_taken_for_a_page(web: WebClient, orders: Orders, path: str) -> None:
    answer = web.get(address(path, fill(orders)))
    assert answer.status_code in (200, 503)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer.json()


@pytest.mark.parametrize(
    "path",
    [
        "/job_logs/{0}",
        "/job_logs/?status={0}",
        "/job_logs/?from={0}",
        "/job_logs/?before={0}",
        "/job_logs/{0}?line={0}",
        "/open_orders/?sort={0}",
        "/open_orders/?overdue={0}",
        "/open_orders/changes?sync={0}",
        "/open_orders/changes?kind={0}",
    ],
)
def test_error_page_repeats_what_was_asked_as_text(web: WebClient, path: str) -> None:
    answer = web.get(path.replace("{0}", quote(MARKUP, safe="")))
    assert answer.status_code in (400, 404, 422)
    assert Markup(answer.text).alien == []


def test_text_download_is_text_to_every_browser(web: WebClient, orders: Orders) -> None:
    names = fill(orders)
    answer = web.get(f"/job_logs/{quote(names[1], safe='')}/download.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9_.-]+"', answer.headers["content-disposition"])
    assert MARKUP in answer.text


@pytest.mark.parametrize("file", sorted(STATIC_DIR.glob("*.js")), ids=lambda file: file.name)
def test_script_makes_no_markup_of_text(file: Any) -> None:
    script = file.read_text()
    # live.js compares innerHTML; what its DOMParser reads is a page of ours, whose markup is the server's.
    for way in (r"(inner|outer)HTML\s*=[^=]", r"insertAdjacentHTML", r"document\.write", r"\beval\(", r"new Function",
                r"dangerouslySetInnerHTML", r"setHTMLUnsafe", r"createContextualFragment", r"srcdoc", r"javascript:",
                r"set(Timeout|Interval)\(\s*[\"'`]"):  # fmt: skip
        assert not re.search(way, script), way

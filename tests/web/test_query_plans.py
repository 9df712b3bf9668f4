"""With many rows the pages of job logs and of changes find theirs by the indexes that are meant for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from bench.job_history import Size, fill
from open_orders.web import database
from tests.web.web_client import WebClient

LOGS = 20_000
BY_TIME = "job_logs_created_at_id_idx"
BY_STATUS = "job_logs_status_created_at_id_idx"
BY_JOB = "job_logs_job_name_created_at_id_idx"
BY_JOB_AND_STATUS = "job_logs_job_name_status_created_at_id_idx"
DETAILS = "job_log_details_job_log_id_id_idx"

# What follows /job_logs/, and indexes that its statements use.
PAGES = {
    "": {BY_TIME, BY_STATUS},
    "?before=2020-01-01T00:00:00%2B00:00_5": {BY_TIME},
    "?after=2020-01-01T00:00:00%2B00:00_5": {BY_TIME},
    "?status=error": {BY_STATUS},
    "?status=interrupted": {BY_STATUS},
    "?job=archive_orders": {BY_JOB},
    "?job=sync_open_orders&status=error": {BY_JOB_AND_STATUS},
    "?to=2020-01-01": {BY_TIME},
    "?q=zebra": {DETAILS, "job_logs_pkey"},
    "?q=Batch&status=success": {DETAILS, "job_logs_pkey"},
    "?q=20200101_000000": {"job_logs_name_key"},
    "{usual}": {"job_logs_name_key", DETAILS},
    "{usual}?q=orders": {DETAILS},
    "{large}": {DETAILS},
    "{large}?line=20001": {DETAILS},
    "{large}?q=zebra": {DETAILS},
    "{large}?level=error&line=9000": {DETAILS},
    "api/job_logs/{large}/details?after=20": {DETAILS},
    "api/activity": {BY_STATUS},
    "api/panel": {BY_TIME},
}


@pytest.fixture
def names(web: WebClient, orders: psycopg.Connection[Any]) -> dict[str, str]:
    """Return a usual log's name and the largest one's, in a database with many of them."""
    fill(orders, Size(logs=LOGS, details_per_log=10, largest_log=30_000, open_orders=20_000), lambda _done: None)
    rows = orders.execute(
        """SELECT CASE WHEN count(*) > 10 THEN 'large' ELSE 'usual' END, min(name)
           FROM job_logs JOIN job_log_details ON job_log_id = job_logs.id
           WHERE job_logs.id > (SELECT max(id) - 12000 FROM job_logs) GROUP BY job_logs.id"""
    )
    return {size: str(name) for size, name in rows}


@pytest.fixture
def plans(names: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
    """Yield the list of the nodes of the plans of all statements that the web's engine executes."""
    nodes: list[dict[str, Any]] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM job_log" in statement or "FROM open_order_changes" in statement:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            found = cursor.fetchone()[0]
            nodes.extend(walk((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]))

    event.listen(database.engine("pages"), "before_cursor_execute", explain)
    yield nodes
    event.remove(database.engine("pages"), "before_cursor_execute", explain)


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


def test_pages_use_the_indexes_that_are_meant_for_them(
    web: WebClient,
    names: dict[str, str],
    plans: list[dict[str, Any]],
) -> None:
    for page, expected in PAGES.items():
        plans.clear()
        assert web.get(f"/job_logs/{page.format(**names)}").status_code == 200, page
        scanned = [node["Relation Name"] for node in plans if node["Node Type"] == "Seq Scan"]
        assert not {"job_logs", "job_log_details"} & set(scanned), page
        assert expected <= {node.get("Index Name") for node in plans}, page


@pytest.mark.parametrize("query", ["", "?kind=changed", "?after=400&limit=1000"])
def test_changes_of_a_sync_are_found_without_those_of_others(
    web: WebClient, names: dict[str, str], plans: list[dict[str, Any]], query: str
) -> None:
    plans.clear()
    assert web.get(f"/open_orders/api/changes{query}").status_code == 200
    used = {node.get("Index Name") for node in plans if node.get("Relation Name") == "open_order_changes"}
    assert used == {"open_order_changes_job_log_id_kind_id_idx"}

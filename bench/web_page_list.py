"""Which pages and API answers are measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Literal, cast
from urllib.parse import urlencode

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy.engine import Row

from bench.job_history import find_largest
from open_orders.job_status import JobStatus
from open_orders.web.open_order_paging import Sort

Group = Literal["list", "detail", "api", "open orders"]
LOGS = "/job_logs/"
API = "/job_logs/api/"
ORDERS = "/open_orders/"
PEER = "/api/v2/dags/sync_open_orders/dagRuns?limit=25"
PEER_NAME = "Airflow's list of DAG runs"
MOST_DAG_RUNS = 10_000


@dataclass(frozen=True)
class Page:
    """Something to ask for; the addresses are asked in turn, so that not all answers are remembered ones."""

    group: Group
    name: str
    urls: tuple[str, ...]
    accept: str = "text/html"


def list_pages(orders: psycopg.Connection[Any]) -> list[Page]:
    """Return all pages, with names and positions of what is in the database."""
    return [*_lists(orders), *_details(orders), *_api(orders), *_open_orders(orders)]


def _lists(orders: psycopg.Connection[Any]) -> list[Page]:
    oldest, newest = _one(orders, "SELECT min(created_at), max(created_at) FROM job_logs")
    middle = oldest + (newest - oldest) / 2
    deep = _one(
        orders,
        """SELECT created_at, id FROM job_logs ORDER BY created_at DESC, id DESC
           OFFSET (SELECT count(*) / 2 FROM job_logs) LIMIT 1""",
    )
    deep_text = f"{deep[0].astimezone(UTC).isoformat()}_{deep[1]}"
    month = {"from": middle.isoformat(), "to": (middle + timedelta(days=30)).isoformat()}
    old = _one(orders, "SELECT name FROM job_logs WHERE id <= 101 ORDER BY id DESC LIMIT 1")[0]
    choices: dict[str, dict[str, str]] = {
        "first page": {},
        "half way down": {"before": deep_text},
        "half way down, towards the newer": {"after": deep_text},
        "errors only": {"status": "error"},
        "errors only, half way down": {"status": "error", "before": deep_text},
        "status success": {"status": "success"},
        "status processing": {"status": "processing"},
        "status interrupted": {"status": "interrupted"},
        "status new: none": {"status": "new"},
        "the sync only": {"job": "sync_open_orders"},
        "a daily job only": {"job": "archive_orders"},
        "a daily job's errors": {"job": "archive_orders", "status": "error"},
        "an unknown job: none": {"job": "no_such_job"},
        "a month long ago": month,
        "a month's errors": {**month, "status": "error"},
        "before any log: none": {"to": "2001-01-01T00:00"},
        "text in most messages": {"q": "Batch"},
        "text in a few messages": {"q": "quantity_open is no number"},
        "text nowhere": {"q": "zebra crossing"},
        "text of an error": {"q": "Lock request", "status": "error"},
        "text nowhere, a month long ago": {"q": "zebra crossing", **month},
        "text nowhere, ten years": {"q": "zebra crossing", "from": oldest.isoformat()},
        "text nowhere, two letters": {"q": "§§"},
        "text nowhere, a daily job": {"q": "zebra crossing", "job": "archive_orders"},
        "a whole name, long ago": {"q": old},
    }
    return [Page("list", name, (f"{LOGS}?{urlencode(query)}",)) for name, query in choices.items()]


def _details(orders: psycopg.Connection[Any]) -> list[Page]:
    # In a short history without such a log it is another one.
    usual = _one(
        orders,
        """SELECT name FROM (SELECT id, name FROM job_logs WHERE status = 2 ORDER BY id DESC LIMIT 21) AS newest
           ORDER BY id LIMIT 1""",
    )[0]
    failed = _one(orders, "SELECT name FROM job_logs ORDER BY status = 3 DESC, id LIMIT 1")[0]
    run_id, dag_id = _one(orders, "SELECT run_id, dag_id FROM job_logs WHERE id <= 201 ORDER BY id DESC LIMIT 1")
    large, _ = _largest(orders)
    deep = _one(orders, f"SELECT count(*) / 2 FROM job_log_details WHERE job_log_id = {find_largest(orders)}")[0]  # noqa: S608 - numbers of our own
    running = _running(orders)
    return [
        Page("detail", "a usual log", (LOGS + usual,)),
        Page("detail", "a failed log, long ago", (LOGS + failed,)),
        Page("detail", "the log that is under way", (LOGS + running,)),
        Page("detail", "tab of a run", (f"{LOGS}run?{urlencode({'dag_id': dag_id, 'run_id': run_id})}",)),
        Page("detail", "the largest log: first page", (LOGS + large,)),
        Page("detail", "the largest log: deep page", (f"{LOGS}{large}?line={deep}",)),
        Page("detail", "the largest log: search, many hits", (f"{LOGS}{large}?q=Batch",)),
        Page("detail", "the largest log: search, one hit", (f"{LOGS}{large}?q=Batch+9000%2F",)),
        Page("detail", "the largest log: search, no hit", (f"{LOGS}{large}?q=zebra+crossing",)),
        Page("detail", "the largest log: errors only, none", (f"{LOGS}{large}?level=error",)),
    ]


def _api(orders: psycopg.Connection[Any]) -> list[Page]:
    large, middle = _largest(orders)
    running = _running(orders)
    urls = {
        "list of job logs": "job_logs",
        "list of job logs, text nowhere": "job_logs?q=zebra+crossing",
        "one job log": f"job_logs/{running}",
        "messages after one: nothing new (live tail)": f"job_logs/{running}/details?after={2**40}",
        "messages after one: 1,000 in the middle of the largest log": f"job_logs/{large}/details?after={middle}",
        "activity (what an open list asks)": "activity",
        "health": "health",
        "panel of the home page": "panel",
    }
    return [Page("api", name, (API + url,), "application/json") for name, url in urls.items()]


def _open_orders(orders: psycopg.Connection[Any]) -> list[Page]:
    with orders.cursor(row_factory=namedtuple_row) as cursor:
        cursor.execute(
            """SELECT order_number, line_number FROM open_orders ORDER BY 1, 2
               OFFSET (SELECT count(*) / 2 FROM open_orders) LIMIT 1"""
        )
        deep = Sort("order_number").cursor(cast("Row[Any]", cursor.fetchone()))
    queries: dict[str, tuple[dict[str, str], ...]] = {
        "first page": ({},),
        # A new day, a new snapshot and a new filter are counted anew; what was counted is remembered.
        "search, counted anew": tuple({"q": f"ITEM-{number}"} for number in range(100)),
        "search, no hit": tuple({"q": f"zebra {number}"} for number in range(100)),
        "sorted by amount": ({"sort": "-amount_open"},),
        "sorted by customer's name": ({"sort": "customer_name"},),
        "overdue in one warehouse": ({"overdue": "1", "warehouse": "NORTH"},),
        "changed in the last sync": ({"changed": "1"},),
    }
    pages = [
        Page("open orders", name, tuple(f"{ORDERS}?{urlencode(query)}" for query in choices))
        for name, choices in queries.items()
    ]
    return [
        *pages,
        Page("open orders", "deep page", (f"{ORDERS}?{urlencode({'after': deep})}",)),
        Page("open orders", "what the last sync changed", (f"{ORDERS}changes",)),
        Page("open orders", "API, first page", (f"{ORDERS}api/open_orders",), "application/json"),
        Page("open orders", "API, freshness", (f"{ORDERS}api/freshness",), "application/json"),
    ]


def _largest(orders: psycopg.Connection[Any]) -> tuple[str, int]:
    """Return the name of the log with the most messages, and the id of the one in their middle."""
    job_log_id = find_largest(orders)
    name, middle = _one(
        orders,
        f"""SELECT min(job_logs.name), (min(job_log_details.id) + max(job_log_details.id)) / 2
            FROM job_log_details JOIN job_logs ON job_logs.id = job_log_id WHERE job_log_id = {job_log_id}""",  # noqa: S608 - numbers of our own
    )
    return str(name), int(middle)


def _running(orders: psycopg.Connection[Any]) -> str:
    """Return the name of the newest log that is under way, or of the newest one."""
    status = int(JobStatus.PROCESSING)
    return str(_one(orders, f"SELECT name FROM job_logs ORDER BY status = {status} DESC, id DESC LIMIT 1")[0])  # noqa: S608 - numbers of our own


def _one(orders: psycopg.Connection[Any], statement: str) -> Any:
    """Return the one row of a statement."""
    row = orders.execute(statement.encode()).fetchone()
    if row is None:
        raise LookupError(f"Nothing found by: {statement}")
    return row

"""Which pages and API answers are measured: all of the plugin, but for files, which are downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Literal, cast
from urllib.parse import urlencode

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row
from sqlalchemy.engine import Row

from bench.job_history import SUCCESSES, find_largest
from open_orders.contract import OPEN_ORDERS
from open_orders.job_status import JobStatus
from open_orders.web.open_order_paging import Sort

Group = Literal["list", "detail", "api", "open orders"]
LOGS = "/job_logs/"
API = "/job_logs/api/"
ORDERS = "/open_orders/"
JSON = "application/json"
PEER = "/api/v2/dags/sync_open_orders/dagRuns?limit=25"
PEER_NAME = "Airflow's list of DAG runs"


@dataclass(frozen=True)
class Page:
    """Something to ask for; the addresses are asked in turn.

    anew: each time of a new snapshot of the open orders, of which the server remembers nothing.
    """

    group: Group
    name: str
    urls: tuple[str, ...]
    accept: str = "text/html"
    anew: bool = False


def list_pages(orders: psycopg.Connection[Any]) -> list[Page]:
    """Return all pages, with names and positions of what is in the database; of what it lacks there is none."""
    return [*_lists(orders), *_details(orders), *_api(orders), *_open_orders(orders), *_open_orders_api(orders)]


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
    old = _one(orders, "SELECT name FROM job_logs WHERE id <= (SELECT min(id) FROM job_logs) + 100 ORDER BY id DESC")[0]
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
        "the sync only, half way down": {"job": "sync_open_orders", "before": deep_text},
        "a daily job only": {"job": "archive_orders"},
        "a daily job's errors": {"job": "archive_orders", "status": "error"},
        "an unknown job: none": {"job": "no_such_job"},
        "a month long ago": month,
        "a month's errors": {**month, "status": "error"},
        "before any log: none": {"to": "2001-01-01T00:00"},
        "text in most messages": {"q": "Batch"},
        "text in most messages, half way down": {"q": "Batch", "to": middle.isoformat()},
        "text in a few messages": {"q": "quantity_open is no number"},
        "text nowhere": {"q": "zebra crossing"},
        "text of an error": {"q": "Lock request", "status": "error"},
        "text nowhere, a month long ago": {"q": "zebra crossing", **month},
        "text nowhere, ten years": {"q": "zebra crossing", "from": oldest.isoformat()},
        "text nowhere, two letters": {"q": "§§"},
        "text nowhere, a daily job": {"q": "zebra crossing", "job": "archive_orders"},
        "a whole name, long ago": {"q": old},
    }
    lists = [Page("list", name, (f"{LOGS}?{urlencode(query)}",)) for name, query in choices.items()]
    return [*lists, Page("list", "verdict alone (what an open list asks)", (f"{LOGS}verdict",))]


def _details(orders: psycopg.Connection[Any]) -> list[Page]:
    run_id, dag_id = _one(orders, "SELECT run_id, dag_id FROM job_logs ORDER BY id LIMIT 1")
    large, _ = _largest(orders)
    deep = _one(orders, f"SELECT count(*) / 2 FROM job_log_details WHERE job_log_id = {find_largest(orders)}")[0]  # noqa: S608 - numbers of our own
    logs = {
        "a usual log": _newest(orders, JobStatus.SUCCESS),
        "a failed log": _newest(orders, JobStatus.ERROR),
        "the log that is under way": _newest(orders, JobStatus.PROCESSING),
    }
    return [
        *(Page("detail", name, (LOGS + log,)) for name, log in logs.items() if log),
        Page("detail", "tab of a run", (f"{LOGS}run?{urlencode({'dag_id': dag_id, 'run_id': run_id})}",)),
        Page("detail", "tab of a run without a log", (f"{LOGS}run?dag_id=no_such_dag&run_id=none",)),
        Page("detail", "the largest log: first page", (LOGS + large,)),
        Page("detail", "the largest log: deep page", (f"{LOGS}{large}?line={max(deep, 1)}",)),
        Page("detail", "the largest log: search, many hits", (f"{LOGS}{large}?q=Batch",)),
        Page("detail", "the largest log: search, one hit", (f"{LOGS}{large}?q=Batch+9000%2F",)),
        Page("detail", "the largest log: search, no hit", (f"{LOGS}{large}?q=zebra+crossing",)),
        Page("detail", "the largest log: errors only, none", (f"{LOGS}{large}?level=error",)),
    ]


def _api(orders: psycopg.Connection[Any]) -> list[Page]:
    large, middle = _largest(orders)
    running = _newest(orders, JobStatus.PROCESSING) or large
    urls = {
        "list of job logs": "job_logs",
        "list of job logs, text nowhere": "job_logs?q=zebra+crossing",
        "list of job logs, 200 errors": "job_logs?status=error&limit=200",
        "one job log": f"job_logs/{running}",
        "messages after one: nothing new (live tail)": f"job_logs/{running}/details?after={2**40}",
        "messages after one: 1,000 in the middle of the largest log": f"job_logs/{large}/details?after={middle}",
        "activity (what an open list asks)": "activity",
        "health": "health",
        "panel of the home page": "panel",
        "OpenAPI document of the job logs": "openapi.json",
    }
    pages = [Page("api", name, (API + url,), JSON) for name, url in urls.items()]
    return [*pages, Page("api", "description of the job logs' API", (f"{API}docs",))]


# What is asked of a new snapshot each time. %d is a number that differs, too.
ANEW: dict[str, dict[str, str]] = {
    "first page": {},
    "search: an item": {"q": "ITEM-%d"},
    "search: an order's number": {"q": "SO-2%d"},
    "search: a customer": {"q": "kühlmann"},
    "search: no hit": {"q": "zebra %d"},
    "search: no hit, two letters": {"q": "§§"},
    "search: an item, sorted by amount": {"q": "ITEM-%d", "sort": "-amount_open"},
    "search: no hit, in one warehouse": {"q": "zebra %d", "warehouse": "NORTH"},
    "a customer": {"customer": "C1%d"},
    "an unknown customer: none": {"customer": "nobody %d"},
    "a warehouse": {"warehouse": "NORTH"},
    "without a warehouse": {"warehouse": "~none"},
    "a status": {"status": "on hold"},
    "overdue": {"overdue": "1"},
    "overdue, the longest first": {"overdue": "1", "sort": "due_date"},
    "overdue in one warehouse": {"overdue": "1", "warehouse": "NORTH"},
    "changed in the last sync": {"changed": "1"},
    "all filters": {"q": "bolt", "warehouse": "NORTH", "status": "on hold", "overdue": "1", "changed": "1"},
}


def _open_orders(orders: psycopg.Connection[Any]) -> list[Page]:
    deep = {"after": _deep(orders, Sort("order_number"))}
    asked_again: dict[str, dict[str, str]] = {
        "first page": {},
        "deep page": deep,
        "deep page, back": {"before": deep["after"]},
        "a filter that was asked before": {"overdue": "1", "warehouse": "NORTH"},
    }
    syncs = orders.execute(f"{SUCCESSES} LIMIT 9".encode()).fetchall()
    middle = _one(orders, "SELECT (min(id) + max(id)) / 2 FROM open_order_changes WHERE job_log_id = %s", syncs[0])[0]
    older = _one(orders, "SELECT name FROM job_logs WHERE id = %s", syncs[-1])[0]
    rejected = _one(orders, "SELECT max(id) / 2 FROM rejected_orders")[0] or 1
    parts = {
        "banner (what an open list asks)": "freshness",
        "changes of the last sync": "changes",
        "changes, closed": "changes?kind=closed",
        "changes, deep page": f"changes?after={middle or 0}",
        "changes of an older sync": f"changes?sync={older}",
        "rejected by the last sync": "rejected",
        "rejected by any, deep page": f"rejected?scope=all&before={rejected}",
        "description of the open orders' API": "api/docs",
    }
    return [
        *(_order_page(name, query) for name, query in asked_again.items()),
        *(Page("open orders", name, (ORDERS + url,)) for name, url in parts.items()),
        *(_order_page(f"anew: {name}", query, anew=True) for name, query in ANEW.items()),
        *(_sorted_page(orders, name) for name in OPEN_ORDERS.names),
        Page("open orders", "anew: banner", (f"{ORDERS}freshness",), anew=True),
    ]


def _order_page(name: str, query: dict[str, str], *, anew: bool = False) -> Page:
    varied = any("%d" in value for value in query.values())
    queries = (
        {key: value.replace("%d", str(number)) for key, value in query.items()}
        for number in range(100, 200 if varied else 101)
    )
    return Page("open orders", name, tuple(f"{ORDERS}?{urlencode(query)}" for query in queries), anew=anew)


def _sorted_page(orders: psycopg.Connection[Any], column: str) -> Page:
    """Return the first and a deep page in the order of a column, up and down."""
    urls = []
    for sort in (Sort(column), Sort(column, descending=True)):
        urls += [{"sort": sort.text}, {"sort": sort.text, "after": _deep(orders, sort)}]
    addresses = tuple(f"{ORDERS}?{urlencode(query)}" for query in urls)
    return Page("open orders", f"anew: sorted by {column}, first and deep page", addresses, anew=True)


def _open_orders_api(orders: psycopg.Connection[Any]) -> list[Page]:
    deep = _deep(orders, Sort("order_number"))
    again = {
        "open orders": "open_orders",
        "open orders, deep page": f"open_orders?after={deep}",
        "open orders, 1,000 lines": "open_orders?limit=1000",
        "freshness (what an open list asks)": "freshness",
        "changes": "changes",
        "changes, 1,000": "changes?limit=1000",
        "rejected": "rejected",
        "rejected by any, 1,000": "rejected?scope=all&limit=1000",
        "OpenAPI document of the open orders": "openapi.json",
    }
    anew = {
        "open orders": "open_orders",
        "a warehouse": "open_orders?warehouse=NORTH",
        "sorted by amount": "open_orders?sort=-amount_open",
        "search: an item": "open_orders?q=ITEM-123",
        "search: no hit": "open_orders?q=zebra",
    }
    prefix = f"{ORDERS}api/"
    return [
        *(Page("open orders", f"API, {name}", (prefix + url,), JSON) for name, url in again.items()),
        *(Page("open orders", f"anew: API, {name}", (prefix + url,), JSON, anew=True) for name, url in anew.items()),
    ]


def _deep(orders: psycopg.Connection[Any], sort: Sort) -> str:
    """Return the position in the middle of all open orders."""
    direction = sql.SQL("DESC" if sort.descending else "ASC")
    order = sql.SQL(", ").join(
        sql.SQL("{} {} NULLS LAST").format(sql.Identifier(name), direction) for name in sort.names
    )
    statement = sql.SQL(
        "SELECT * FROM open_orders ORDER BY {} OFFSET (SELECT count(*) / 2 FROM open_orders) LIMIT 1"
    ).format(order)
    with orders.cursor(row_factory=namedtuple_row) as cursor:
        return sort.cursor(cast("Row[Any]", cursor.execute(statement).fetchone()))


def _largest(orders: psycopg.Connection[Any]) -> tuple[str, int]:
    """Return the name of the log with the most messages, and the id of the one in their middle."""
    job_log_id = find_largest(orders)
    name, middle = _one(
        orders,
        f"""SELECT min(job_logs.name), (min(job_log_details.id) + max(job_log_details.id)) / 2
            FROM job_log_details JOIN job_logs ON job_logs.id = job_log_id WHERE job_log_id = {job_log_id}""",  # noqa: S608 - numbers of our own
    )
    return str(name), int(middle)


def _newest(orders: psycopg.Connection[Any], status: JobStatus) -> str | None:
    """Return the name of the newest log with a status, None where there is none."""
    row = orders.execute(
        "SELECT name FROM job_logs WHERE status = %s ORDER BY created_at DESC, id DESC LIMIT 1", [int(status)]
    ).fetchone()
    return None if row is None else str(row[0])


def _one(orders: psycopg.Connection[Any], statement: str, values: Sequence[Any] = ()) -> Any:
    """Return the one row of a statement."""
    row = orders.execute(statement.encode(), values).fetchone()
    if row is None:
        raise LookupError(f"Nothing found by: {statement}")
    return row

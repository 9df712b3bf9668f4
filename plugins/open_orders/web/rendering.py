"""Pages from templates: one environment, with the formats and addresses that every page uses."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from open_orders.job_status import JobStatus
from open_orders.web import numbers
from open_orders.web.auth import JOB_LOGS, OPEN_ORDERS, SYNC_DAG_ID, Reader
from open_orders.web.reading import INTERRUPTED, ShownStatus
from open_orders.web.static_files import versioned

PREFIXES = {JOB_LOGS: "/job_logs", OPEN_ORDERS: "/open_orders"}


@cache
def environment() -> Environment:
    """Return the templates with their filters; everything is escaped, an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("open_orders.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": numbers.number,
        "amount": numbers.amount,
        "quantity": numbers.quantity,
        "duration": numbers.duration,
        "visible": numbers.visible,
        "seconds_since": seconds_since,
        "ago_words": lambda moment: numbers.ago(seconds_since(moment)),
        "clock": lambda moment: _zoned(moment, "%H:%M:%S"),
        "moment": lambda moment: _zoned(moment, "%Y-%m-%d %H:%M:%S"),
        "day_words": day_words,
        "status_word": status_word,
    }
    made.globals |= {"sync_dag_id": SYNC_DAG_ID, "areas": PREFIXES}
    return made


def render(
    request: Request, reader: Reader | None, template: str, *, status_code: int = 200, **context: Any
) -> HTMLResponse:
    """Return a page; without a reader one that offers no links to what needs a permission."""
    root = airflow_root(request)
    area = reader.area if reader else area_of(request)
    page = environment().get_template(template)
    common = {
        "reader": reader,
        "root": root,
        "area": area,
        "now": datetime.now(UTC),
        "static": lambda file: f"{root}{PREFIXES[area]}/static/{versioned(file)}",
    }
    return HTMLResponse(page.render(common | context), status_code=status_code)


def area_of(request: Request) -> str:
    """Return the area that a request's app belongs to."""
    return str(request.app.state.area)


def airflow_root(request: Request) -> str:
    """Return the path below which Airflow is served, without a slash at the end: as a rule nothing."""
    # Airflow mounts the app: the request's root path is Airflow's own and the app's prefix.
    return str(request.scope.get("root_path", "")).removesuffix(PREFIXES[area_of(request)]).rstrip("/")


# Not from request.url: it fails on a query that is not UTF-8, and on some Host headers.
def path_of(request: Request) -> str:
    """Return the path of a request, from the host on, without its escapes."""
    return str(request.scope["path"])


def query_of(request: Request) -> str:
    """Return the query of a request as it came, escapes and all."""
    return str(request.scope["query_string"].decode("latin-1"))


def seconds_since(moment: datetime) -> float:
    """Return the seconds from a moment until now; negative for one to come."""
    return (datetime.now(UTC) - moment).total_seconds()


def status_word(status: JobStatus | int | str) -> ShownStatus:
    """Return the word of a status: of the enumeration, its number, or the word itself ("interrupted" included)."""
    if isinstance(status, str):
        return INTERRUPTED if status == INTERRUPTED else JobStatus[status.upper()].word
    return JobStatus(status).word


def day_words(day: date, today: date | None = None) -> str:
    """Return how far away a day is: `today`, `in 3 days`, `1 day ago`."""
    days = (day - (today or datetime.now(UTC).date())).days
    if days == 0:
        return "today"
    words = f"{abs(days):,} day{'' if abs(days) == 1 else 's'}"
    return f"in {words}" if days > 0 else f"{words} ago"


def _zoned(moment: datetime, pattern: str) -> str:
    """Return a moment with its zone; base.js then shows it in the zone that is chosen in Airflow."""
    return f"{moment.astimezone(UTC):{pattern}} +00:00"

"""Text that means harm, in every column that holds text; and what a page must not have made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import psycopg

from open_orders.contract import OPEN_ORDERS, Text
from open_orders.job_status import JobStatus
from tests.integration.erp import order
from tests.web.job_logs import add_details, add_log
from tests.web.open_orders import publish

TEXT_COLUMNS = tuple(column.name for column in OPEN_ORDERS.columns if isinstance(column.type, Text))
MARKUP = "</title></textarea></select></script>\"'><img src=x onerror=alert(1)><script>alert(1)</script>"


def hostile(field: str) -> str:
    """Return markup that leaves every place a page could put it, after the name of its field."""
    return f"{field}{MARKUP}{{{{7*7}}}}"


def hostile_name(number: int) -> str:
    """Return such a name for a job log, without the slashes that no path can have in a name."""
    return f"name{number}\"'><img src=x onerror=alert(1)>{{{{7*7}}}}"


def fill(orders: psycopg.Connection[Any]) -> list[str]:
    """Fill every table that pages read, each text column with markup; return the names of the job logs."""
    line = order() | {name: hostile(name) for name in TEXT_COLUMNS}
    sync_id, sync_name = publish(orders, line, order("SO2", 2), updated=1, deleted=1, rejected=1)
    values = json.dumps({name: value if name in TEXT_COLUMNS else str(value) for name, value in line.items()})
    delivered = json.dumps({name: hostile(f"delivered_{name}") for name in OPEN_ORDERS.names})
    key = json.dumps({"order_number": hostile("key"), "line_number": 1})
    for kind, before, after in (("new", None, values), ("changed", values, values), ("closed", values, None)):
        orders.execute(
            """INSERT INTO open_order_changes (contract, job_log_id, kind, key, before, after)
               VALUES ('open_orders', %s, %s, %s, %s, %s)""",
            [sync_id, kind, key, before, after],
        )
    orders.execute(
        """INSERT INTO rejected_orders
           (contract, fingerprint, reason, row, occurrences, first_job_log_id, last_job_log_id)
           VALUES ('open_orders', 'f', %s, %s, 1, %s, %s)""",
        [hostile("reason"), delivered, sync_id, sync_id],
    )
    return [sync_name, *_add_logs(orders)]


def _add_logs(orders: psycopg.Connection[Any]) -> list[str]:
    """Add a log of the sync that failed, a running one of another job, and a failed one of an earlier run of the sync.

    The last has a slot of the verdict's strip to itself, whatever the time is.
    """
    now = datetime.now(UTC)
    names = []
    kinds = (
        (2, JobStatus.ERROR, "sync_open_orders"),
        (1, JobStatus.PROCESSING, hostile("job_name")),
        (12, JobStatus.ERROR, "sync_open_orders"),
    )
    for number, (minutes, status, job) in enumerate(kinds):
        name = add_log(
            orders,
            now - timedelta(minutes=minutes),
            status,
            **{column: hostile(column) for column in ("trigger", "triggered_by", "step")},
            error_summary=hostile("error_summary") if status is JobStatus.ERROR else None,
            name=hostile_name(number),
            run_id=hostile("run_id"),
            dag_id=hostile(f"dag_id{number}"),
            job_name=job,
        )
        add_details(orders, name, hostile("message"), hostile("second"), level="error", task_id=hostile("task_id"))
        names.append(name)
    return names


class Markup(HTMLParser):
    """What a page runs or loads that is not ours, and the texts that a reader sees or hovers over."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.alien: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.texts += values.values()
        ours = values.get("src", "").startswith(("/job_logs/static/", "/open_orders/static/"))
        handlers = [name for name in values if name.startswith("on") or name in ("style", "srcdoc")]
        addresses = [value for name, value in values.items() if name in ("href", "src", "action")]
        if tag in ("img", "iframe", "object", "embed", "base", "math") or (tag == "script" and not ours) or handlers:
            self.alien.append(f"<{tag} {values}>")
        self.alien += [address for address in addresses if urlsplit(address).scheme and address != "data:,"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All texts, those of attributes too."""
        return " ".join(self.texts)

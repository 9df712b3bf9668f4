from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from open_orders.contract import OPEN_ORDERS
from open_orders.job_status import JobStatus
from tests.integration.erp import order
from tests.web.job_logs import add_log

Orders = psycopg.Connection[Any]


def add_sync(
    orders: Orders, *, ago: timedelta = timedelta(minutes=3), status: JobStatus = JobStatus.SUCCESS, **values: Any
) -> tuple[int, str]:
    """Insert the job log of a sync that began so long ago; return its id and name."""
    counts = {"inserted": 0, "updated": 0, "deleted": 0, "rejected": 0, "total_after": 0}
    name = add_log(orders, datetime.now(UTC) - ago, status, **(counts if status is JobStatus.SUCCESS else {}) | values)
    return id_of(orders, name), name


def id_of(orders: Orders, name: str) -> int:
    row = orders.execute("SELECT id FROM job_logs WHERE name = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])


def add_orders(orders: Orders, rows: list[dict[str, Any]], job_log_id: int = 1, *, changed_by: int = 0) -> None:
    """Insert published orders, as `job_log_id` inserted and `changed_by`, else the same, changed them."""
    names = [*OPEN_ORDERS.names, "first_job_log_id", "changed_job_log_id"]
    statement = f"INSERT INTO open_orders ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"
    with orders.cursor() as cursor:
        cursor.executemany(
            statement,
            [[*(row[name] for name in OPEN_ORDERS.names), job_log_id, changed_by or job_log_id] for row in rows],
        )


def publish(orders: Orders, *rows: dict[str, Any], **values: Any) -> tuple[int, str]:
    """Insert a sync three minutes ago and the orders that it published; return its id and name."""
    synced = add_sync(orders, **{"total_after": len(rows), "inserted": len(rows), **values})
    add_orders(orders, list(rows), synced[0])
    return synced


def add_rejected(orders: Orders, job_log_id: int, reason: str, occurrences: int = 1, **row: Any) -> None:
    texts = {name: None if value is None else str(value) for name, value in order(**row).items()}
    orders.execute(
        """INSERT INTO rejected_orders
           (contract, fingerprint, reason, row, occurrences, first_job_log_id, last_job_log_id)
           VALUES ('open_orders', gen_random_uuid()::text, %s, %s, %s, %s, %s)""",
        [reason, json.dumps(texts), occurrences, job_log_id, job_log_id],
    )

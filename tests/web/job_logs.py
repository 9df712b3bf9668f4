from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg

from open_orders.job_status import JobStatus


def add_log(
    orders: psycopg.Connection[Any],
    started_at: datetime,
    status: JobStatus = JobStatus.SUCCESS,
    *,
    scheduled: bool = True,
    took: timedelta = timedelta(seconds=4),
    **values: Any,
) -> str:
    """Insert a job log as the hook would have written it; return its name."""
    name = f"{started_at:%Y%m%d_%H%M%S}"
    ended = status in (JobStatus.SUCCESS, JobStatus.ERROR)
    due = started_at.replace(second=0, microsecond=0)
    columns: dict[str, Any] = {
        "name": name,
        "job_name": "sync_open_orders",
        "status": int(status),
        "dag_id": "sync_open_orders",
        "run_id": f"scheduled__{due.isoformat()}" if scheduled else f"manual__{started_at.isoformat()}",
        "trigger": "scheduled" if scheduled else "manual",
        "started_at": started_at,
        "completed_at": started_at + took if ended else None,
        "heartbeat_at": started_at + took,
        "created_at": started_at,
        "error_summary": "fetch: SQL Server closed the connection" if status is JobStatus.ERROR else None,
    } | values
    orders.execute(
        f"INSERT INTO job_logs ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
        list(columns.values()),
    )
    return str(columns["name"])


def add_details(
    orders: psycopg.Connection[Any], name: str, *messages: str, level: str = "info", task_id: str | None = "fetch"
) -> list[int]:
    """Add messages to a job log, a second apart from its start on; return their ids."""
    statement = (
        "INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message, created_at) "
        "SELECT id, %s, %s, 1, %s, started_at + %s * interval '1 second' FROM job_logs WHERE name = %s RETURNING id"
    )
    ids = []
    for number, message in enumerate(messages):
        row = orders.execute(statement, [level, task_id, message, number, name]).fetchone()
        assert row
        ids.append(int(row[0]))
    return ids

"""What a run left behind: its job log and messages, what is published and what was rejected."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

Database = psycopg.Connection[Any]


def details(database: Database, run_id: str) -> list[tuple[str, str]]:
    """Return level and message of a run's details, in the model's order."""
    rows = database.execute(
        """SELECT level, message FROM job_log_details JOIN job_logs ON job_logs.id = job_log_id
           WHERE run_id = %s ORDER BY job_log_details.created_at, job_log_details.id""",
        [run_id],
    )
    return rows.fetchall()


def messages(database: Database, run_id: str) -> list[str]:
    return [message for _level, message in details(database, run_id)]


def job_log(database: Database, run_id: str) -> dict[str, Any]:
    with database.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("SELECT * FROM job_logs WHERE run_id = %s", [run_id]).fetchone()
    assert row is not None
    return row


def counts(database: Database, run_id: str) -> dict[str, int]:
    log = job_log(database, run_id)
    names = ("fetched", "imported", "rejected", "inserted", "updated", "deleted", "total_after")
    return {name: log[name] for name in names}


def published(database: Database) -> list[str]:
    return [row[0] for row in database.execute("SELECT order_number FROM open_orders ORDER BY order_number")]


def rejected(database: Database) -> list[tuple[str, int]]:
    return database.execute("SELECT reason, occurrences FROM rejected_orders ORDER BY id").fetchall()


def warnings(database: Database, run_id: str) -> list[str]:
    """Return a run's warnings, those of its batches left out."""
    return [
        message
        for level, message in details(database, run_id)
        if level == "warning" and not message.startswith("Batch ")
    ]

"""Rows of `job_alerts`: the statements of `include/sql/alert` with their values bound."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from open_orders.alert_texts import Message
from open_orders.job_standing import Record, Standing, State
from open_orders.statements import load_statement

Connection = psycopg.Connection[Any]
# An alert that couldn't be delivered is tried again whenever a run ends and at each watch: for half an hour or more.
MOST_ATTEMPTS = 10
# Longer than a delivery can take: a claim this old was left by a process that died.
CLAIM_S = 60


@dataclass(frozen=True)
class Claim:
    """An alert that this process, and no other, is to deliver."""

    state: State
    title: str
    body: str
    job_log_id: int | None
    attempts: int
    claimed_at: datetime


def lock_standing(connection: Connection, job_name: str) -> Standing:
    """Return how a job was last seen to stand; others who ask wait for the end of the transaction."""
    values = {"job_name": job_name}
    connection.execute(load_statement("alert/insert"), values)
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        found = cursor.execute(load_statement("alert/lock"), values).fetchone()
    if found is None:
        raise LookupError(job_name)
    return found


def read_record(connection: Connection, job_name: str, dead_after_s: int) -> Record:
    """Return what the job's logs say."""
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        values = {"job_name": job_name, "dead_after_s": dead_after_s}
        found = cursor.execute(load_statement("alert/select_standing"), values).fetchone()
    if found is None:
        raise LookupError(job_name)
    return found


def write_standing(connection: Connection, standing: Standing) -> None:
    """Store how a job stands now."""
    connection.execute(load_statement("alert/update"), asdict(standing))


def put_message(connection: Connection, job_name: str, message: Message | None) -> None:
    """Let an alert be delivered, instead of any before it; None for none."""
    values = asdict(message) if message else {"title": None, "body": None}
    connection.execute(load_statement("alert/put_message"), {"job_name": job_name, **values})


def claim(connection: Connection, job_name: str) -> Claim | None:
    """Return the job's alert if one is to be delivered and nobody else is at it."""
    values = {"job_name": job_name, "most_attempts": MOST_ATTEMPTS, "claim_s": CLAIM_S}
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(load_statement("alert/claim"), values).fetchone()


def settle(connection: Connection, job_name: str, claimed: Claim, failure: str | None) -> None:
    """Write down that a claimed alert was delivered, or why not."""
    values = {"job_name": job_name, "claimed_at": claimed.claimed_at, "failure": failure}
    connection.execute(load_statement("alert/settle"), values)

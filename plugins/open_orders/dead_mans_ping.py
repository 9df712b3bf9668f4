"""Tell a service outside that a run began, succeeded or failed; it raises the alarm when it hears nothing.

That is for the case that Airflow, the machine or the network is dead, of which no alert could tell. The service is one
such as Healthchecks.io (https://healthchecks.io/docs/http_api/), its addresses are the password of an Airflow
connection: of each job's own, `ping_sync_open_orders` for example.
"""

from __future__ import annotations

from typing import Literal

import httpx
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from open_orders.job_log_hook import JobLogHook
from open_orders.masking import hide_address, redact
from open_orders.time_limit import run_within

PREFIX = "ping_"
LIMIT_S = 5.0
NONE = "-"

Moment = Literal["start", "success", "fail"]
MOMENTS: tuple[Moment, ...] = ("start", "success", "fail")


def report_start(log: JobLogHook) -> None:
    """Ping that a run began, once however often its first step is tried."""
    if log.execution.attempt == 1 and (problem := ping(log.execution.dag_id, "start")):
        log.detail(problem, "warning")


def ping(job_name: str, moment: Moment) -> str | None:
    """Ping a job's address for the moment; returns a sentence when that failed. Without a connection: nothing."""
    connection_id = f"{PREFIX}{job_name}"
    try:
        secret = Connection.get(connection_id).password or ""
    except AirflowNotFoundException:
        return None
    # Before anything can name one in a message.
    for address in secret.split():
        hide_address(address)
    address = find_address(secret, moment)
    if address is None:
        return (
            f"No dead-man's ping: the password of the connection {connection_id} is expected to be one address or three"
        )
    if address == NONE:
        return None
    problems: list[str] = []
    if not run_within(LIMIT_S, lambda: problems.extend(_get(address))):
        problems.append(f"no answer within {LIMIT_S:g} s")
    return f"The dead-man's ping ({moment}) was not heard: {redact(problems[0])}" if problems else None


def find_address(secret: str, moment: Moment) -> str | None:
    """Return the address for a moment, of one, to which Healthchecks.io's endings are added, or of three.

    None when there are neither one nor three.
    """
    match secret.split():
        case [base]:
            return base if moment == "success" else f"{base.rstrip('/')}/{moment}"
        case [*each] if len(each) == len(MOMENTS):
            return each[MOMENTS.index(moment)]
    return None


def _get(address: str) -> list[str]:
    """Return what went wrong, in no or one sentence."""
    try:
        answer = httpx.get(address, timeout=LIMIT_S, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [f"{type(error).__name__}: {error}"]
    return [] if answer.is_success else [f"it was answered {answer.status_code} {answer.reason_phrase}"]

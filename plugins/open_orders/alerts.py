"""Look after a job: note how it stands, and tell people when that changes.

The change is noted in one transaction, with the alert; whoever claims the alert sends it. So of several processes one
sends, and what could not be sent is tried again when the next one comes by.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow.sdk.configuration import conf

from open_orders import alert_store, unreachable
from open_orders.alert_delivery import has_receivers, send
from open_orders.alert_store import MOST_ATTEMPTS, Claim
from open_orders.alert_texts import Message, describe, describe_unlogged
from open_orders.errors import AlertError
from open_orders.execution import RunEnd
from open_orders.job_log_hook import Connection, JobLogHook
from open_orders.job_standing import Outlook, Standing, judge
from open_orders.settings import load_settings

logger = logging.getLogger(__name__)


def look_after(log: JobLogHook, job_name: str, outlook: Outlook | None = None) -> None:
    """Note how a job stands and send the alert if there is one to send.

    An alert that can't be delivered is a warning in the job log that it is about; nothing is raised then.
    """
    with log.connect("open_orders alerts") as connection:
        _note(connection, job_name, outlook)
        claim = alert_store.claim(connection, job_name)
        if claim is not None:
            _deliver(log, connection, job_name, claim)


def _note(connection: Connection, job_name: str, outlook: Outlook | None) -> None:
    settings = load_settings()
    with connection.transaction():
        before = _catch_up(alert_store.lock_standing(connection, job_name))
        record = alert_store.read_record(connection, job_name, settings.dead_after_s)
        after = judge(before, record, settings, outlook)
        alert_store.write_standing(connection, after)
        if after.is_well != before.is_well:
            # Without a receiver nothing waits for one: it would get old news.
            message = describe(before, after, record, settings, base_url()) if has_receivers() else None
            alert_store.put_message(connection, job_name, message)


def _catch_up(before: Standing) -> Standing:
    """Take over what people were told while the orders database was away."""
    outage = unreachable.read(before.job_name)
    if outage is None:
        return before
    # Under the lock, so that one process takes it over.
    unreachable.forget(before.job_name)
    if not outage.told or not before.is_well:
        return before
    return replace(before, state="failing", since=outage.began_at, reason=outage.reason)


def tell_without_database(end: RunEnd, reason: str) -> None:
    """Send the alert about a run that failed, when the orders database can't say whether people know already."""
    outage = unreachable.note_failure(end.dag_id, reason)
    if not outage.is_to_be_told(load_settings().alert_after_failures) or not has_receivers():
        return
    outage.attempts += 1
    unreachable.write(end.dag_id, outage)
    try:
        for receiver in send(describe_unlogged(end, outage.began_at, reason, base_url()), broken=True):
            logger.warning("A receiver did not get the alert: %s", receiver)
    except AlertError as error:
        logger.warning("Alert not delivered, attempt %d of %d: %s", outage.attempts, MOST_ATTEMPTS, error)
        return
    outage.told = True
    unreachable.write(end.dag_id, outage)


def _deliver(log: JobLogHook, connection: Connection, job_name: str, claim: Claim) -> None:
    failure = None
    try:
        missed = send(Message(claim.title, claim.body), broken=claim.state != "well")
    except AlertError as error:
        failure = str(error)
    alert_store.settle(connection, job_name, claim, failure)
    if failure is not None:
        again = "it will be tried again" if claim.attempts < MOST_ATTEMPTS else "it is given up"
        log.remark(
            claim.job_log_id,
            f"Alert not delivered, attempt {claim.attempts} of {MOST_ATTEMPTS}, {again}: {claim.title} ({failure})",
            "warning",
        )
        return
    log.remark(claim.job_log_id, f"Alert sent: {claim.title}")
    for receiver in missed:
        log.remark(claim.job_log_id, f"A receiver did not get the alert: {receiver}", "warning")


def base_url() -> str:
    """Return where people reach Airflow's web UI."""
    return str(conf.get("api", "base_url", fallback="") or "http://localhost:8080")

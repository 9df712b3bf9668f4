"""Alerts, from the end of a run to a receiver that is there, is not, or says nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException

from open_orders import alert_delivery, alert_store, alerts, masking
from open_orders.errors import SourceError, SuspiciousSourceError
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from tests.integration.database_roles import make_site
from tests.integration.ended_runs import Job
from tests.integration.receiver import TOKEN, Receiver, connect_to

Database = psycopg.Connection[Any]
JOB = "sync_open_orders"


def texts(orders: Database, run: Execution | None = None, level: str = "%") -> list[str]:
    statement = """SELECT message FROM job_log_details AS detail JOIN job_logs ON job_logs.id = job_log_id
                   WHERE level LIKE %s AND run_id LIKE %s ORDER BY detail.created_at, detail.id"""
    return [row[0] for row in orders.execute(statement, [level, run.run_id if run else "%"])]


def forget_claims(orders: Database) -> None:
    """Let the time pass after which an alert is tried again."""
    orders.execute("UPDATE job_alerts SET claimed_at = claimed_at - interval '1 hour'")


def test_outage_is_one_alert_and_its_end_another(orders: Database, job: Job, receiver: Receiver) -> None:
    job.run()
    assert receiver.requests == []
    first = job.run("too little")
    for _ in range(3):
        job.run("too little")
    assert receiver.titles == [f"{JOB} failed"]
    name = orders.execute("SELECT name FROM job_logs WHERE run_id = %s", [first.run_id]).fetchone()
    assert name
    alert = receiver.requests[0].body
    assert alert["type"] == "failure"
    assert "Why: connect: too little\n" in alert["message"]
    assert alert["message"].endswith(f"Job log: https://airflow.example/job_logs/{name[0]}")
    job.run()
    job.run()
    assert receiver.titles == [f"{JOB} failed", f"{JOB} works again"]
    assert receiver.requests[1].body["type"] == "success"
    assert "before: connect: too little" in receiver.requests[1].body["message"]
    assert texts(orders, first)[-1] == f"Alert sent: {JOB} failed"


def test_failures_in_a_row_before_an_alert_can_be_set(
    job: Job, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPEN_ORDERS_ALERT_AFTER_FAILURES", "3")
    for reason in ("x", "x", None, "x", "x"):
        job.run(reason)
    assert receiver.requests == []
    job.run("x")
    job.run("x")
    job.run()
    assert receiver.titles == [f"{JOB} failed 3 times in a row", f"{JOB} works again"]


def test_run_that_is_repeated_with_success_after_it_was_cleared_ends_the_outage(
    orders: Database, job: Job, receiver: Receiver, execution: Callable[..., Execution]
) -> None:
    failed = job.run("too little")
    again = execution(run_id=failed.run_id, clear_number=1)
    with JobLogHook().step(again):
        alerts.look_after(JobLogHook(), JOB)
    assert receiver.titles == [f"{JOB} failed"]
    with JobLogHook().job(again):
        pass
    job.end(again, succeeded=True)
    assert receiver.titles == [f"{JOB} failed", f"{JOB} works again"]


def test_of_processes_that_notice_at_once_one_sends(job: Job, receiver: Receiver, execution: Any) -> None:
    run = execution()
    with suppress(AirflowFailException), JobLogHook().job(run):
        raise SuspiciousSourceError("too little")
    barrier = Barrier(6)

    def notice(_number: int) -> None:
        barrier.wait()
        alerts.look_after(JobLogHook(), JOB)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(notice, range(6)))
    assert receiver.titles == [f"{JOB} failed"]


def test_without_a_connection_nothing_is_sent_and_nothing_waits_for_one(
    orders: Database, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = job.run("too little")
    assert [text for text in texts(orders, failed) if "lert" in text] == []
    assert orders.execute("SELECT state FROM job_alerts").fetchone() == ("failing",)
    with Receiver() as receiver:
        monkeypatch.setenv("AIRFLOW_CONN_ALERTS", receiver.connection)
        job.run("too little")
        assert receiver.requests == []
        job.run()
        assert receiver.titles == [f"{JOB} works again"]


def test_alert_that_cannot_be_delivered_is_in_the_job_log_and_is_tried_again(
    orders: Database, job: Job, receiver: Receiver
) -> None:
    receiver.status = 500
    failed = job.run("too little")
    [warning] = texts(orders, failed, "warning")
    assert warning.startswith(f"Alert not delivered, attempt 1 of 10, it will be tried again: {JOB} failed (JSON: ")
    assert "500" in warning
    job.run("still too little")
    assert len(receiver.requests) == 1
    forget_claims(orders)
    receiver.status = 200
    job.run("still too little")
    assert receiver.titles == [f"{JOB} failed"] * 2
    assert texts(orders, failed)[-1] == f"Alert sent: {JOB} failed"
    forget_claims(orders)
    job.run("still too little")
    assert len(receiver.requests) == 2


def test_alert_is_given_up_after_some_attempts(orders: Database, job: Job, unused_port: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(alert_store, "MOST_ATTEMPTS", 2)
    monkeypatch.setattr(alerts, "MOST_ATTEMPTS", 2)
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS", connect_to(f"json://127.0.0.1:{unused_port}/{TOKEN}"))
    failed = job.run("too little")
    for _ in range(3):
        forget_claims(orders)
        alerts.look_after(JobLogHook(), JOB)
    warnings = texts(orders, failed, "warning")
    assert [warning.split(":")[0] for warning in warnings] == [
        "Alert not delivered, attempt 1 of 2, it will be tried again",
        "Alert not delivered, attempt 2 of 2, it is given up",
    ]
    assert "Connection error" in warnings[0]


def test_receiver_that_says_nothing_is_given_up_in_time(
    orders: Database, job: Job, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_delivery, "LIMIT_S", 0.3)
    receiver.hangs = True
    failed = job.run("too little")
    # Apprise's own limit for one receiver is 4 s.
    assert "did not finish within 0." in texts(orders, failed, "warning")[0]


def test_of_several_receivers_those_that_were_missed_are_named_and_nobody_is_told_twice(
    orders: Database, job: Job, receiver: Receiver, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, gone = (f"json://127.0.0.1:{port}/{TOKEN}" for port in (receiver.port, unused_port))
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS", connect_to(gone, there))
    failed = job.run("too little")
    [warning] = texts(orders, failed, "warning")
    assert warning.startswith("A receiver did not get the alert: JSON: ")
    forget_claims(orders)
    job.run("too little")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ('{"conn_type": "apprise"}', "expected the type apprise and the extra"),
        ('{"conn_type": "apprise", "extra": {"config": "nothing"}}', "expected the type apprise and the extra"),
        (connect_to("nonsense://x"), "names 1 receivers, of which Apprise takes 0"),
    ],
)
def test_connection_that_is_wrong_is_a_warning_that_says_what_is_expected(
    orders: Database, job: Job, connection: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS", connection)
    assert says in texts(orders, job.run("too little"), "warning")[0]


def test_alert_writes_what_the_source_said_as_it_stands(job: Job, receiver: Receiver) -> None:
    job.run("{{ 7 * 7 }} {% raise %} <b>Müşteri</b> \\n")
    assert "{{ 7 * 7 }} {% raise %} <b>Müşteri</b> \\n" in receiver.requests[0].body["message"]


def test_death_of_the_process_that_was_to_send_leaves_the_alert_to_the_next(
    orders: Database, job: Job, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "send", die)
        with pytest.raises(KeyboardInterrupt):
            job.run("too little")
    job.run("too little")
    assert receiver.requests == []
    forget_claims(orders)
    job.run("too little")
    assert receiver.titles == [f"{JOB} failed"]


def test_no_secret_of_a_receiver_is_written_down(
    orders: Database,
    job: Job,
    unused_port: int,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masking, "_spellings", set())
    address = f"json://somebody:pass%2Fword@127.0.0.1:{unused_port}/{TOKEN}?+X-Key=aK3yOfTheHeader"
    for addresses in ([address], [address.replace("json", "nonsense")]):
        monkeypatch.setenv("AIRFLOW_CONN_ALERTS", connect_to(*addresses))
        orders.execute("DELETE FROM job_alerts")
        job.run(f"the source said {TOKEN}")
    stored = texts(orders) + [str(row) for row in orders.execute("SELECT job_alerts::text FROM job_alerts")]
    shown = "".join((*stored, *capfd.readouterr(), caplog.text))
    assert "Alert not delivered" in shown
    for secret in ("pass/word", "pass%2Fword", "aK3yOfTheHeader"):
        assert secret not in shown
    assert f"/{TOKEN}" not in shown


def test_alert_needs_no_more_rights_than_the_pipeline_has(
    orders_dsn: str, job: Job, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(orders_dsn)
    site.provision()
    site.take_from_public()
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", site.uri(site.pipeline))
    job.run("too little")
    assert receiver.titles == [f"{JOB} failed"]


def test_transient_failure_of_an_attempt_is_no_failure_of_the_run(
    job: Job, receiver: Receiver, execution: Callable[..., Execution]
) -> None:
    run = execution(attempts=3)
    with suppress(SourceError), JobLogHook().step(run):
        raise SourceError("gone for a moment")
    alerts.look_after(JobLogHook(), JOB)
    assert receiver.requests == []

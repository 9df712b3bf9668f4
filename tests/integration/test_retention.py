"""What is kept for how long: the statements of include/sql/retention through the task's function."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from open_orders import retention
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from open_orders.job_status import JobStatus
from open_orders.retention import delete_expired
from open_orders.settings import Settings
from tests.integration.erp import Erp, Sync, order
from tests.integration.outcome import messages
from tests.web.job_logs import add_details, add_log

Database = psycopg.Connection[Any]
MakeExecution = Callable[..., Execution]
DAY = timedelta(days=1)
NOTHING = (
    "Nothing is older than what is kept: messages of successful runs 30 days, messages of failed runs 180 days, "
    "job logs 365 days, rejected orders 30 days"
)


@pytest.fixture
def maintain(orders: Database, execution: MakeExecution) -> Callable[..., list[str]]:
    """Return the task: it deletes under a job log of its own, and returns what it said there."""

    def run(**changes: Any) -> list[str]:
        attempt = execution(dag_id="maintain_job_logs")
        limit = changes.pop("time_limit_s", retention.TIME_LIMIT_S)
        with JobLogHook().job(attempt) as log:
            delete_expired(log, Settings(**changes), limit)
        said = messages(orders, attempt.run_id)[1:-1]
        return [text.partition(" in ")[0] if text.startswith("Deleted") else text for text in said]

    return run


def add(
    orders: Database, age: timedelta, status: JobStatus = JobStatus.SUCCESS, *, lines: int = 3, **values: Any
) -> str:
    """Add a log of a run that ended so long ago, with messages; return its name."""
    name = add_log(orders, datetime.now(UTC).replace(microsecond=0) - age, status, **values)
    add_details(orders, name, *[f"line {number}" for number in range(lines)])
    return name


def kept(orders: Database) -> dict[str, int]:
    """Return the logs that are left, other than the task's own, and how many messages each has."""
    return dict(
        orders.execute(
            """SELECT name, (SELECT count(*) FROM job_log_details WHERE job_log_id = job_logs.id)
               FROM job_logs WHERE job_name <> 'maintain_job_logs'"""
        ).fetchall()
    )


def test_messages_go_before_their_logs_and_those_of_failed_runs_later(
    orders: Database, maintain: Callable[..., list[str]]
) -> None:
    error = JobStatus.ERROR
    today, recent, old = (add(orders, age) for age in (DAY, 29 * DAY, 31 * DAY))
    failed, failed_long_ago = (add(orders, age, error) for age in (179 * DAY, 181 * DAY))
    older, oldest = (add(orders, age) for age in (364 * DAY, 366 * DAY))
    oldest_failed = add(orders, 367 * DAY, error)
    assert maintain() == [
        "Deleted 9 messages of successful runs, older than 30 days,",
        "Deleted 6 messages of failed runs, older than 180 days,",
        "Deleted 2 job logs, older than 365 days,",
    ]
    assert kept(orders) == {today: 3, recent: 3, old: 0, failed: 3, failed_long_ago: 0, older: 0}
    assert {oldest, oldest_failed}.isdisjoint(kept(orders))
    marked = orders.execute("SELECT name FROM job_logs WHERE details_deleted_at IS NOT NULL").fetchall()
    assert {name for (name,) in marked} == {old, failed_long_ago, older}
    assert maintain() == [NOTHING]


def test_open_logs_and_the_newest_success_of_each_job_stay_as_they_are(
    orders: Database, maintain: Callable[..., list[str]]
) -> None:
    running = add(orders, 400 * DAY, JobStatus.PROCESSING)
    new = add(orders, 401 * DAY, JobStatus.NEW, job_name="another", dag_id="another")
    last = add(orders, 500 * DAY)
    last_of_another = add(orders, 600 * DAY, job_name="another", dag_id="another")
    failed_since = add(orders, 2 * DAY, JobStatus.ERROR)
    assert maintain() == [NOTHING]
    assert kept(orders) == dict.fromkeys([running, new, last, last_of_another, failed_since], 3)


def test_log_that_ended_again_after_its_run_was_cleared_keeps_its_new_messages(
    orders: Database, maintain: Callable[..., list[str]]
) -> None:
    add(orders, DAY)
    cleared = add(orders, 40 * DAY)
    maintain()
    assert kept(orders)[cleared] == 0
    add_details(orders, cleared, "Run cleared")
    orders.execute("UPDATE job_logs SET completed_at = clock_timestamp() WHERE name = %s", [cleared])
    assert maintain() == [NOTHING]
    orders.execute(
        """UPDATE job_logs SET completed_at = completed_at - interval '35 days',
           details_deleted_at = details_deleted_at - interval '36 days' WHERE name = %s""",
        [cleared],
    )
    assert maintain() == ["Deleted 1 messages of successful runs, older than 30 days,"]


def test_logs_that_are_kept_for_less_than_their_messages_take_them_along(
    orders: Database, maintain: Callable[..., list[str]]
) -> None:
    today, _ = add(orders, timedelta()), add(orders, 3 * DAY, JobStatus.ERROR)
    assert maintain(job_logs_days=2) == [
        "Deleted 3 messages of failed runs, older than 2 days,",
        "Deleted 1 job logs, older than 2 days,",
    ]
    assert kept(orders) == {today: 3}


def test_batches_delete_everything_and_no_batch_is_larger_than_allowed(
    orders: Database, maintain: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 7)
    monkeypatch.setattr(retention, "BATCH_LOGS", 2)
    sizes = []
    delete = retention.delete_batches

    def watched(*given: Any) -> Any:
        for batch in delete(*given):
            sizes.append(batch.deleted)
            yield batch

    monkeypatch.setattr(retention, "delete_batches", watched)
    today = add(orders, DAY)
    for number, lines in enumerate([3, 20, 0, 7, 14, 1, 5]):
        add(orders, (400 + number) * DAY, lines=lines)
    assert maintain() == [
        "Deleted 50 messages of successful runs, older than 30 days,",
        "Deleted 7 job logs, older than 365 days,",
    ]
    assert kept(orders) == {today: 3}
    assert max(sizes) == 7
    assert len(sizes) > 50 // 7


def test_time_limit_stops_between_two_batches_and_the_next_run_goes_on(
    orders: Database, maintain: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_LOGS", 1)
    add(orders, DAY)
    for number in range(3):
        add(orders, (40 + number) * DAY)
    said = maintain(time_limit_s=0)
    assert said[0] == "Deleted 3 messages of successful runs, older than 30 days,"
    assert said[1] == "Stopped after 0 s with more to delete: the next run goes on"
    assert maintain() == ["Deleted 6 messages of successful runs, older than 30 days,"]


def test_what_somebody_holds_is_skipped_and_nobody_waits(
    orders: Database, orders_dsn: str, maintain: Callable[..., list[str]]
) -> None:
    today, held, other = add(orders, DAY), add(orders, 40 * DAY), add(orders, 41 * DAY)
    with psycopg.connect(orders_dsn) as holder:
        holder.execute("SELECT FROM job_logs WHERE name = %s FOR UPDATE", [held])
        assert maintain() == ["Deleted 3 messages of successful runs, older than 30 days,"]
    assert kept(orders) == {today: 3, held: 3, other: 0}
    assert maintain() == ["Deleted 3 messages of successful runs, older than 30 days,"]


def test_rejected_orders_go_once_no_sync_has_seen_them_for_long(
    orders: Database, erp: Erp, sync: Sync, maintain: Callable[..., list[str]]
) -> None:
    erp.rows = [order("A"), order("B", customer_code=None)]
    sync.run()
    erp.rows = [order("A"), order("C", customer_code=None)]
    sync.run()
    aged = "UPDATE rejected_orders SET last_seen_at = last_seen_at - interval '31 days'"
    assert maintain() == [NOTHING]
    orders.execute(aged)
    # Both syncs are today's, by their job logs: their rejects can't be as old as their rows say.
    assert maintain() == [NOTHING]
    orders.execute("UPDATE job_logs SET created_at = created_at - interval '31 days'")
    assert maintain() == ["Deleted 1 rejected orders, older than 30 days,"]
    assert orders.execute("""SELECT "row" ->> 'order_number' FROM rejected_orders""").fetchall() == [("C",)]

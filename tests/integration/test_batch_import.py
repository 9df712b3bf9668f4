"""Batches that are imported over two sessions: their order, their counts, and what one that fails leaves behind."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from itertools import count, pairwise
from typing import Any, LiteralString

import psycopg
import pytest

from open_orders import batch_import
from open_orders.contract import OPEN_ORDERS
from open_orders.target import Batch, Target
from tests.integration.erp import STEPS, Erp, Sync, order, orders_of
from tests.integration.outcome import Database, counts, job_log, messages, published, rejected
from tests.integration.postgres_versions import every_version


def test_two_sessions_share_the_batches_and_the_log_tells_them_in_order(
    sync: Sync, erp: Erp, orders: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch takes longest."""
    importing = Target.import_batch
    sessions: dict[int, int] = {}
    both = threading.Barrier(2, timeout=30)

    def import_slowly(target: Target, batch: Batch) -> tuple[int, int]:
        if batch.batch_no <= 2:
            both.wait()
        sessions[batch.batch_no] = target.connection.info.backend_pid
        if batch.batch_no == 1:
            time.sleep(0.5)
        return importing(target, batch)

    monkeypatch.setattr(Target, "import_batch", import_slowly)
    erp.rows = [order(f"SO{number}", customer_code=f"C{number}" if number % 3 else None) for number in range(20)]
    run = sync.run(params={"batch_size": 2})
    assert len(set(sessions.values())) == 2
    assert list(sessions.values()).count(sessions[1]) == 1
    told = [message for message in messages(orders, run.run_id) if message.startswith("Batch ")]
    assert [message.partition("/")[0] for message in told] == [f"Batch {number}" for number in range(1, 11)]
    assert (counts(orders, run.run_id)["imported"], counts(orders, run.run_id)["rejected"]) == (13, 7)
    assert len(published(orders)) == 13


def test_counts_of_the_log_grow_from_commit_to_commit(
    sync: Sync, erp: Erp, orders: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    advance = batch_import.JobLogHook.advance

    def look(log: Any, connection: Any, so_far: Any = None) -> None:
        advance(log, connection, so_far)
        if so_far is not None and so_far.imported is not None:
            seen.append(so_far.imported)

    monkeypatch.setattr(batch_import.JobLogHook, "advance", look)
    erp.rows = orders_of(40)
    run = sync.run(STEPS[:4], params={"batch_size": 2})
    assert seen[0] == 0
    assert all(later - earlier == 2 for earlier, later in pairwise(seen))
    assert seen[-1] == job_log(orders, run.run_id)["imported"] == 40


@pytest.mark.parametrize("cancellations_lost", [0, 2, math.inf], ids=["none", "first", "all"])
def test_failing_batch_stops_the_other_session_and_the_next_attempt_goes_on(
    sync: Sync, erp: Erp, orders: Database, monkeypatch: pytest.MonkeyPatch, cancellations_lost: float
) -> None:
    """Whether the server is told in the middle of a statement, just before it, or never hears of it."""
    at_work = threading.Event()
    cancel, cancellations = psycopg.Connection.cancel_safe, count(1)

    def fail_or_sleep(target: Target, batch: Batch) -> tuple[int, int]:
        if batch.batch_no == 1:
            assert at_work.wait(30)
            raise RuntimeError("the disk is full")
        at_work.set()
        target.connection.execute("SELECT pg_sleep(60)")
        return 2, 0

    def lose_some(connection: psycopg.Connection, **options: Any) -> None:
        if next(cancellations) > cancellations_lost:
            cancel(connection, **options)

    erp.rows = orders_of(6)
    sync.run(STEPS[:3], run_id="it", params={"batch_size": 2})
    began = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(Target, "import_batch", fail_or_sleep)
        patch.setattr(psycopg.Connection, "cancel_safe", lose_some)
        patch.setattr(batch_import, "_STOP_WITHIN_S", 5.0 if math.isfinite(cancellations_lost) else 0.5)
        with pytest.raises(RuntimeError, match="the disk is full"):
            sync.run(STEPS[3:4], run_id="it")
    assert time.monotonic() - began < 30
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]
    assert job_log(orders, "it")["imported"] == 0
    sync.run(STEPS[3:], run_id="it", attempt=2)
    assert len(published(orders)) == 6
    assert rejected(orders) == []


def test_step_that_is_interrupted_leaves_no_session_at_work(
    sync: Sync, erp: Erp, orders: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(target: Target, _batch: Batch) -> tuple[int, int]:
        target.connection.execute("SELECT pg_sleep(60)")
        return 0, 0

    class InterruptedStepError(Exception):
        pass

    def interrupt(*_arguments: Any) -> Any:
        deadline = time.monotonic() + 30
        while asleep() < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        raise InterruptedStepError

    def asleep() -> int:
        row = orders.execute("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' "
                             "AND state = 'active'").fetchone()  # fmt: skip
        return int(row[0]) if row else 0

    erp.rows = orders_of(6)
    sync.run(STEPS[:3], run_id="it", params={"batch_size": 2})
    with monkeypatch.context() as patch:
        patch.setattr(Target, "import_batch", sleep)
        # As Airflow's time limit does, in the middle of the wait for the first batch.
        patch.setattr(batch_import.Future, "result", interrupt)
        with pytest.raises(InterruptedStepError):
            sync.run(STEPS[3:4], run_id="it")
    assert asleep() == 0
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]
    sync.run(STEPS[3:], run_id="it", attempt=2)
    assert len(published(orders)) == 6


def test_rows_of_the_same_offence_in_all_batches_are_no_deadlock(sync: Sync, erp: Erp, orders: Database) -> None:
    """Each batch rejects the same rows, in another order."""
    bad = [order("", line) for line in range(1, 31)]
    erp.rows = [*orders_of(2), *[row for turn in range(12) for row in (bad if turn % 2 else reversed(bad))]]
    run = sync.run(params={"batch_size": 30})
    assert counts(orders, run.run_id)["rejected"] == 360
    assert rejected(orders) == [("order_number '' is empty", 12)] * 30


def times_read(orders: Database) -> int:
    """Return how often landing was read from end to end; a session tells that when it ends."""

    def number(query: LiteralString) -> int:
        row = orders.execute(query).fetchone()
        return int(row[0]) if row else 0

    sessions: LiteralString = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    deadline = time.monotonic() + 30
    while number(sessions) and time.monotonic() < deadline:
        time.sleep(0.01)
    return number("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'open_orders_landing'")


def test_each_batch_reads_only_its_own_part_of_landing(sync: Sync, erp: Erp, orders: Database) -> None:
    """With rows rejected and rows marked as duplicates among them, which are elsewhere than the others."""
    erp.rows = [order(f"SO{number}", customer_code=f"C{number}" if number % 3 else None) for number in range(3000)]
    erp.rows += erp.rows[:600]
    read = {}
    for batch_size in (1000, 100):
        run = sync.run(STEPS[:3], params={"batch_size": batch_size})
        before = times_read(orders)
        sync.run(STEPS[3:4], run_id=run.run_id)
        read[batch_size] = times_read(orders) - before
        sync.run(STEPS[4:], run_id=run.run_id)
        assert (counts(orders, run.run_id)["imported"], counts(orders, run.run_id)["rejected"]) == (2000, 1600)
    # To find and to mark the duplicates, and to find where each batch is.
    assert 0 < read[100] == read[1000] <= 4


@every_version
@pytest.mark.both_drivers
def test_rows_in_the_order_of_their_keys_are_found_without_reading_all_of_landing(
    sync: Sync, erp: Erp, orders: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are repeated keys looked for. With rows of all sizes, and rejected ones of either kind."""
    erp.rows = [
        order(
            f"SO{number:05}",
            customer_code=f"C{number}" if number % 7 else None,
            customer_name="\0" if number % 11 == 0 else "x" * (number * 37 % 200),
            item_description="y" * (number * 53 % 200),
        )
        for number in range(15_000)
    ]
    invalid = sum(1 for number in range(15_000) if number % 7 == 0 or number % 11 == 0)
    monkeypatch.setattr(Target, "mark_duplicates", None)
    run = sync.run(STEPS[:3], params={"batch_size": 500})
    before = times_read(orders)
    sync.run(STEPS[3:4], run_id=run.run_id)
    assert times_read(orders) == before
    pages = orders.execute("SELECT pg_relation_size('open_orders_landing') / 8192").fetchone()
    assert pages is not None
    # Of which one in fifty is looked at.
    assert pages[0] > 500
    sync.run(STEPS[4:], run_id=run.run_id)
    found = counts(orders, run.run_id)
    assert (found["imported"], found["rejected"]) == (15_000 - invalid, invalid)
    assert published(orders) == [f"SO{number:05}" for number in range(15_000) if number % 7 and number % 11]


def test_batch_whose_landing_another_run_replaced_is_not_imported(sync: Sync, erp: Erp, orders: Database) -> None:
    """Although there are rows of the same numbers again."""
    erp.rows = orders_of(3)
    older = sync.run(STEPS[:3])
    target = Target(orders, OPEN_ORDERS, job_log(orders, older.run_id)["id"])
    [batch] = target.read_batches(in_order=True)
    orders.execute("UPDATE job_logs SET status = 3")
    sync.run(STEPS[:3])
    assert target.import_batch(batch) == (0, 0)


def test_batches_are_found_at_once_whatever_postgresql_expects(sync: Sync, erp: Erp, orders: Database) -> None:
    """Its statistics are of an earlier run: of this one it expects a single row, and a single batch."""

    def best_of_three(work: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            began = time.monotonic()
            work()
            times.append(time.monotonic() - began)
        return min(times)

    erp.rows = orders_of(300)
    sync.run(params={"batch_size": 100})
    orders.execute("ANALYZE open_orders_landing, open_orders_batches")
    erp.rows = [order(f"SO{number}") for number in range(20_000)]
    run = sync.run(STEPS[:3], params={"batch_size": 50})
    target = Target(orders, OPEN_ORDERS, job_log(orders, run.run_id)["id"])
    assert len(target.read_batches(in_order=False)) == 400
    grouped = "SELECT row_no / 50, min(ctid) FROM open_orders_landing GROUP BY 1"
    took = best_of_three(lambda: orders.execute(grouped).fetchall())
    assert best_of_three(lambda: target.read_batches(in_order=False)) < 10 * took


def test_import_of_ten_times_as_many_duplicates_takes_no_hundred_times_as_long(sync: Sync, erp: Erp) -> None:
    took = {}
    for rows in (1_000, 10_000):
        erp.rows = [order(f"SO{number}") for number in range(rows // 2)] * 2
        run = sync.run(STEPS[:3])
        began = time.monotonic()
        sync.run(STEPS[3:4], run_id=run.run_id)
        took[rows] = time.monotonic() - began
        sync.run(STEPS[4:], run_id=run.run_id)
    assert took[10_000] < 25 * took[1_000]

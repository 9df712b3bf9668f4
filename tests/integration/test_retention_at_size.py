"""A million messages that are too old, deleted beside readers and a sync: nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from bench.job_history import Size, fill
from open_orders import retention
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from open_orders.settings import Settings
from sandbox.postgres import EmbeddedPostgres
from tests.integration.outcome import messages

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

# Three quarters of a year: all but a month of it is too old.
SIZE = Size(logs=100_000, largest_log=50_000, open_orders=1_000)
LIST = "SELECT * FROM job_logs ORDER BY created_at DESC, id DESC LIMIT 26"
MESSAGES = "SELECT * FROM job_log_details WHERE job_log_id = (SELECT max(id) - 100 FROM job_logs) ORDER BY id"
BLOCKED = """SELECT waiting.query FROM pg_stat_activity AS waiting
    WHERE EXISTS (
        SELECT FROM unnest(pg_blocking_pids(waiting.pid)) AS pid JOIN pg_stat_activity AS holding USING (pid)
        WHERE holding.application_name = 'open_orders retention'
    )"""


@contextmanager
def repeated(work: Callable[[], object]) -> Iterator[list[float]]:
    """Do something again and again in a thread until the block ends; yields how long each time took, in seconds."""
    took: list[float] = []
    ended = Event()

    def repeat() -> None:
        while not ended.is_set():
            started = time.monotonic()
            work()
            took.append(time.monotonic() - started)
            ended.wait(0.01)

    thread = Thread(target=repeat)
    thread.start()
    yield took
    ended.set()
    thread.join()


def describe(took: list[float]) -> str:
    ordered = sorted(took)
    most = ordered[-1 - len(took) // 100]
    return f"{len(took)} times, median {median(took):.3f} s, 99 % {most:.3f} s, slowest {ordered[-1]:.3f} s"


def test_a_million_old_messages_are_deleted_and_nobody_waits(
    postgres: EmbeddedPostgres,
    orders: psycopg.Connection[Any],
    orders_dsn: str,
    execution: Callable[..., Execution],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(orders, SIZE, print)
    batches: list[tuple[int, float]] = []
    delete = retention.delete_batches

    def timed(*given: Any) -> Any:
        started = time.monotonic()
        for batch in delete(*given):
            batches.append((batch.deleted, time.monotonic() - started))
            yield batch
            started = time.monotonic()

    monkeypatch.setattr(retention, "delete_batches", timed)
    before = orders.execute("SELECT count(*) FROM job_log_details").fetchone()
    with (
        psycopg.connect(orders_dsn, autocommit=True) as reader,
        psycopg.connect(orders_dsn, autocommit=True) as watcher,
        # A page that is read for long must not make the batches slower either.
        psycopg.connect(orders_dsn) as long_reader,
    ):
        long_reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        long_reader.execute(LIST)
        writer = JobLogHook()
        # The newest log of the sync in that history is of a run under way.
        writer.open(execution(dag_id="another_job"))
        blocked: list[str] = []
        with (
            repeated(lambda: [reader.execute(statement).fetchall() for statement in (LIST, MESSAGES)]) as reads,
            repeated(lambda: writer.detail("a message of the sync")) as writes,
            repeated(lambda: blocked.extend(query for (query,) in watcher.execute(BLOCKED))),
            JobLogHook().job(execution(dag_id="maintain_job_logs", run_id="m")) as log,
        ):
            started = time.monotonic()
            total = retention.delete_expired(log, Settings(), time_limit_s=600)
            took_s = time.monotonic() - started
    after = orders.execute("SELECT count(*) FROM job_log_details").fetchone()
    times = [seconds for _, seconds in batches]
    print(f"{total:,} rows in {took_s:.1f} s; {before} -> {after}")
    print(f"batches: {describe(times)}; reads: {describe(reads)}; writes: {describe(writes)}")
    print(*messages(orders, "m"), sep="\n")
    assert total > 1_000_000
    assert blocked == []
    assert max(rows for rows, _ in batches) <= retention.BATCH_ROWS
    # They don't get slower the more is gone: what earlier batches deleted is not looked at again.
    usual = [seconds for rows, seconds in batches if rows > 1_000]
    tenth = len(usual) // 10
    assert median(usual[-tenth:]) < 3 * median(usual[:tenth])


def test_time_limit_bounds_a_run_on_years_of_history(
    orders: psycopg.Connection[Any], execution: Callable[..., Execution]
) -> None:
    fill(orders, SIZE, print)
    with JobLogHook().job(execution(dag_id="maintain_job_logs", run_id="m")) as log:
        started = time.monotonic()
        retention.delete_expired(log, Settings(), time_limit_s=2)
        assert time.monotonic() - started < 2 + 5
    assert "more to delete: the next run goes on" in messages(orders, "m")[-2]

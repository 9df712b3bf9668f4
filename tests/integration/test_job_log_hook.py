from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.log import mask_secret
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from open_orders.errors import (
    JobAlreadyRunningError,
    JobError,
    JobLogClosedError,
    SchemaVersionError,
    SuspiciousSourceError,
)
from open_orders.execution import Execution, RunState
from open_orders.job_log_hook import JobLogHook
from open_orders.job_log_store import Counts, Holder, JobLogStore
from open_orders.job_names import candidate_names
from open_orders.models import JobLog, JobLogDetail
from sandbox.postgres import EmbeddedPostgres

Database = psycopg.Connection[Any]
MakeExecution = Callable[..., Execution]


def status(database: Database, run_id: str) -> tuple[Any, ...]:
    row = database.execute("SELECT status, step, error_summary FROM job_logs WHERE run_id = %s", [run_id]).fetchone()
    assert row is not None
    return row


def texts(database: Database) -> list[str]:
    return [row[0] for row in database.execute("SELECT message FROM job_log_details ORDER BY created_at, id")]


def states(**known: RunState) -> Callable[[str, str], RunState]:
    """Return Airflow's answer to what state a run is in, by run id."""
    return lambda _dag_id, run_id: known.get(run_id, RunState.ACTIVE)


def close(run_id: str, reason: str, *, clear_number: int = 0, succeeded: bool = False) -> bool:
    """Close a run's log as the DAG's callbacks do."""
    return JobLogHook().close_run("sync_open_orders", run_id, clear_number, reason, succeeded=succeeded)


def test_names_are_utc_timestamps_with_suffixes_on_collision(orders: Database, execution: MakeExecution) -> None:
    barrier = Barrier(12)

    def open_one(number: int) -> None:
        hook = JobLogHook()
        barrier.wait()
        hook.open(execution(dag_id=f"job_{number}"))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(open_one, range(12)))
    rows = orders.execute("SELECT name, started_at FROM job_logs").fetchall()
    assert len({name for name, _ in rows}) == 12
    by_second: dict[str, set[str]] = {}
    for name, started_at in rows:
        by_second.setdefault(f"{started_at:%Y%m%d_%H%M%S}", set()).add(name)
    for names in by_second.values():
        started_at = next(at for name, at in rows if name in names)
        candidates = candidate_names(started_at)
        assert names == {next(candidates) for _ in names}


def test_a_run_has_one_log_however_many_processes_open_it(orders: Database, execution: MakeExecution) -> None:
    attempt = execution()
    barrier = Barrier(8)

    def open_it(_number: int) -> str:
        hook = JobLogHook()
        barrier.wait()
        # One of them moves it from new to processing; for another that comes at the same moment the log is the same.
        with suppress(JobLogClosedError):
            hook.open(attempt)
        return hook.job_log_name

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(open_it, range(8)))
    assert orders.execute("SELECT name FROM job_logs").fetchall() == [(names.pop(),)]
    assert not names


def test_retry_continues_the_log_and_says_so(orders: Database, execution: MakeExecution) -> None:
    first = execution(run_id="it")
    with pytest.raises(ValueError, match="boom"), JobLogHook().step(first):
        raise ValueError("boom")
    assert status(orders, "it") == (1, "connect", None)
    with JobLogHook().step(execution(run_id="it", attempt=2)) as log:
        log.detail("at work")
    assert texts(orders) == [
        "Job started - sync_open_orders (manual, triggered by admin)",
        "Attempt 1 of 3 failed: Unexpected error: ValueError: boom",
        "builtins.ValueError: boom",
        "Attempt 2 of 3",
        "at work",
    ]


def test_last_attempt_closes_the_log_with_step_and_reason(orders: Database, execution: MakeExecution) -> None:
    with pytest.raises(ValueError, match="boom"), JobLogHook().step(execution(run_id="it", step="fetch", attempt=3)):
        raise ValueError("boom\nand more")
    assert status(orders, "it") == (3, "fetch", "fetch: Unexpected error: ValueError: boom")


def test_permanent_error_closes_the_log_at_once_and_is_not_retried(orders: Database, execution: MakeExecution) -> None:
    with pytest.raises(AirflowFailException, match="too little"), JobLogHook().step(execution(run_id="it")):
        raise SuspiciousSourceError("too little")
    assert status(orders, "it") == (3, "connect", "connect: too little")


def test_cleared_run_continues_its_closed_log_and_says_so(orders: Database, execution: MakeExecution) -> None:
    with pytest.raises(AirflowFailException), JobLogHook().step(execution(run_id="it")):
        raise SuspiciousSourceError("too little")
    with JobLogHook().job(execution(run_id="it", clear_number=1)):
        pass
    assert status(orders, "it") == (2, "connect", None)
    assert orders.execute("SELECT count(*) FROM job_logs").fetchone() == (1,)
    assert any("Run cleared: job log" in text and "ended as error" in text for text in texts(orders))


def test_late_callback_does_not_close_a_run_that_was_cleared_since(orders: Database, execution: MakeExecution) -> None:
    with pytest.raises(AirflowFailException), JobLogHook().step(execution(run_id="it")):
        raise SuspiciousSourceError("too little")
    with JobLogHook().step(execution(run_id="it", clear_number=1)) as log:
        assert not close("it", "the first failure", clear_number=0)
        log.heartbeat()
    assert close("it", "the second failure", clear_number=1)
    assert status(orders, "it") == (3, "connect", "the second failure")


@pytest.mark.parametrize("closer", ["callback", "next run"])
def test_success_of_which_other_steps_were_cleared_stays_a_success(
    orders: Database, execution: MakeExecution, closer: str
) -> None:
    with JobLogHook().step(execution(run_id="it")) as log:
        log.succeed(Counts(inserted=3, total_after=3))
    with JobLogHook().step(execution(run_id="it", clear_number=1)):
        pass
    if closer == "callback":
        assert close("it", "success", clear_number=1, succeeded=True)
    else:
        with JobLogHook().job(execution(run_id="next", run_state=states(it=RunState.SUCCEEDED))):
            pass
    assert status(orders, "it") == (2, "connect", None)
    assert orders.execute("SELECT inserted, total_after FROM job_logs WHERE run_id = 'it'").fetchone() == (3, 3)
    assert any(text.startswith("The run succeeded without repeating its last step") for text in texts(orders))


def test_failure_after_a_success_of_the_same_run_keeps_none_of_its_counts(
    orders: Database, execution: MakeExecution
) -> None:
    with JobLogHook().step(execution(run_id="it")) as log:
        log.succeed(Counts(inserted=3, updated=1, deleted=2, total_after=3))
    with pytest.raises(AirflowFailException), JobLogHook().step(execution(run_id="it", clear_number=1)):
        raise SuspiciousSourceError("too little")
    counts = orders.execute("SELECT status, inserted, updated, deleted, total_after FROM job_logs").fetchall()
    assert counts == [(3, None, None, None, None)]


def test_success_that_comes_while_the_retry_opens_is_recognised(
    orders: Database, execution: MakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = JobLogHook()
    first.open(execution(run_id="it", step="publish"))
    enter_step = JobLogStore.enter_step

    def commit_first(store: JobLogStore, holder: Holder, attempt: Execution) -> None:
        first.succeed()
        enter_step(store, holder, attempt)

    monkeypatch.setattr(JobLogStore, "enter_step", commit_first)
    with JobLogHook().step(execution(run_id="it", step="publish", attempt=2)) as log:
        assert log.succeeded


def test_run_id_that_is_used_again_continues_the_log_of_the_run_before(
    orders: Database, execution: MakeExecution
) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    with JobLogHook().job(execution(run_id="it", clear_number=2, run_started_at=day)):
        pass
    with (
        pytest.raises(AirflowFailException),
        JobLogHook().step(execution(run_id="it", run_started_at=day + timedelta(hours=1))),
    ):
        raise SuspiciousSourceError("too little")
    assert status(orders, "it") == (3, "connect", "connect: too little")
    assert any(text.startswith("Run id used again: job log") for text in texts(orders))


def test_attempt_that_lost_the_log_writes_nothing_more_to_it(orders: Database, execution: MakeExecution) -> None:
    with pytest.raises(ValueError, match="I am late"), JobLogHook().step(execution(run_id="it", step="fetch")):
        JobLogHook().open(execution(run_id="it", step="fetch", attempt=2))
        raise ValueError("I am late")
    assert [text for text in texts(orders) if "late" in text] == []


@pytest.mark.parametrize(
    "default",
    [
        "datestyle = 'SQL, DMY'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "idle_in_transaction_session_timeout = 1",
        "client_encoding = 'LATIN1'",
        "timezone = 'Asia/Tokyo'",
    ],
)
def test_defaults_of_the_database_do_not_matter(
    orders: Database, orders_dsn: str, execution: MakeExecution, default: str
) -> None:
    name = orders_dsn.rsplit("/", 1)[1]
    orders.execute(f"ALTER DATABASE {name} SET {default}")
    hook = JobLogHook()
    with hook.job(execution(run_id="it")), hook.connect("test") as connection, connection.transaction():
        hook.advance(connection)
        hook.detail("Müşteri 日本 😀")
    assert status(orders, "it")[0] == 2
    assert "Müşteri 日本 😀" in texts(orders)


def test_session_of_a_machine_that_vanished_ends_soon(orders_dsn: str) -> None:
    with JobLogHook().connect("test") as connection:
        idle, interval, count = (
            int(connection.execute(f"SHOW tcp_keepalives_{name}").fetchone()[0])  # type: ignore[index]
            for name in ("idle", "interval", "count")
        )
        unheard = connection.execute("SHOW tcp_user_timeout").fetchone()
    assert 10 <= idle + interval * count <= 20
    assert unheard == ("20000",)


def test_database_of_another_encoding_is_refused(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, execution: MakeExecution
) -> None:
    with psycopg.connect(postgres.dsn(), autocommit=True) as server:
        server.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", postgres.dsn("latin"))
    with pytest.raises(SchemaVersionError, match="encoding LATIN1, expected UTF8"):
        JobLogHook().open(execution())


def test_step_of_a_log_that_was_closed_stops(orders: Database, execution: MakeExecution) -> None:
    hook = JobLogHook()
    hook.open(execution(run_id="it"))
    assert close("it", "marked failed")
    with (
        pytest.raises(AirflowFailException, match="closed or taken over.*marked failed.*clear it"),
        JobLogHook().step(execution(run_id="it", step="fetch")),
    ):
        pytest.fail("the step ran")
    with pytest.raises(JobLogClosedError):
        hook.heartbeat()


def test_of_success_and_failure_only_the_first_counts_and_the_loser_learns_it(
    orders: Database, execution: MakeExecution
) -> None:
    hook = JobLogHook()
    hook.open(execution(run_id="it"))
    assert close("it", "timed out")
    with pytest.raises(JobLogClosedError):
        hook.succeed(Counts(fetched=1))
    assert not hook.fail("too late")
    assert not close("it", "again")
    assert status(orders, "it") == (3, "connect", "timed out")
    assert [text for text in texts(orders) if "finished" in text] == []


def test_success_is_not_overwritten_by_the_callback(orders: Database, execution: MakeExecution) -> None:
    with JobLogHook().job(execution(run_id="it")):
        pass
    assert not close("it", "task_failure")
    assert status(orders, "it")[0] == 2


def test_attempt_that_was_taken_over_is_fenced_off(orders: Database, execution: MakeExecution) -> None:
    zombie = JobLogHook()
    zombie.open(execution(run_id="it", step="fetch", attempt=1))
    JobLogHook().open(execution(run_id="it", step="fetch", attempt=2))
    for act in (zombie.heartbeat, zombie.succeed):
        with pytest.raises(JobLogClosedError):
            act()
    assert not zombie.fail("I am dead")
    assert status(orders, "it")[0] == 1


def test_second_run_of_a_job_is_refused_while_the_first_is_alive(orders: Database, execution: MakeExecution) -> None:
    JobLogHook().open(execution(run_id="first"))
    with (
        pytest.raises(JobAlreadyRunningError, match="One runs at a time"),
        JobLogHook().step(execution(run_id="second", attempt=3)),
    ):
        pytest.fail("the step ran")
    assert status(orders, "first")[0] == 1
    assert status(orders, "second")[0] == 3
    JobLogHook().open(execution(dag_id="another_job"))


def test_old_run_that_is_cleared_and_refused_says_so_and_stays_what_it_was(
    orders: Database, execution: MakeExecution
) -> None:
    with JobLogHook().job(execution(run_id="old")):
        pass
    JobLogHook().open(execution(run_id="new"))
    with (
        pytest.raises(JobAlreadyRunningError),
        JobLogHook().step(execution(run_id="old", clear_number=1)),
    ):
        pytest.fail("the step ran")
    assert status(orders, "old")[0] == 2
    assert texts(orders)[-1].startswith("Attempt 1 of 3 failed: Another run of sync_open_orders is in progress")


@pytest.mark.parametrize("why", ["Airflow no longer runs it", "no heartbeat"])
def test_next_run_closes_the_log_of_a_dead_one(orders: Database, execution: MakeExecution, why: str) -> None:
    JobLogHook().open(execution(run_id="dead", step="fetch"))
    run_state = states(dead=RunState.ACTIVE if why == "no heartbeat" else RunState.OVER)
    last_sign = datetime.now(UTC) - timedelta(hours=1)
    if why == "no heartbeat":
        orders.execute("UPDATE job_logs SET heartbeat_at = %s", [last_sign])
    with JobLogHook().job(execution(run_id="next", run_state=run_state)):
        pass
    code, step, summary = status(orders, "dead")
    assert (code, step) == (3, "fetch")
    assert summary.startswith("fetch: interrupted, no sign of life since 20")
    ended, heartbeat = orders.execute(
        "SELECT completed_at, heartbeat_at FROM job_logs WHERE run_id = 'dead'"
    ).fetchone() or (0, 1)
    assert ended == heartbeat
    assert any(text.startswith("Closed dead job log 20") for text in texts(orders))
    assert any(text.startswith("Interrupted: no sign of life since") for text in texts(orders))


def test_close_dead_leaves_living_logs_and_its_own_alone(orders: Database, execution: MakeExecution) -> None:
    JobLogHook().open(execution(dag_id="alive", run_id="alive"))
    JobLogHook().open(execution(dag_id="dead", run_id="dead"))
    run_state = states(dead=RunState.OVER)
    with JobLogHook().job(execution(dag_id="maintain_job_logs", run_id="m", run_state=run_state)) as log:
        assert len(log.close_dead()) == 1
    assert [status(orders, run_id)[0] for run_id in ("alive", "dead", "m")] == [1, 3, 2]


def test_secrets_are_masked_before_they_are_stored(orders: Database, execution: MakeExecution) -> None:
    mask_secret("s3cr3t-of-the-erp")
    with pytest.raises(RuntimeError), JobLogHook().step(execution(attempt=3)) as log:
        log.detail("password is s3cr3t-of-the-erp")
        raise RuntimeError("login with s3cr3t-of-the-erp failed")
    stored = orders.execute("SELECT message FROM job_log_details UNION ALL SELECT error_summary FROM job_logs")
    everything = "\n".join(row[0] for row in stored)
    assert "s3cr3t-of-the-erp" not in everything
    assert "password is ***" in everything
    assert "login with *** failed" in everything


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        ("a\x00b", "a␀b"),
        ("half \ud800 pair", "half \\ud800 pair"),
        ("<script>%s {x} \\N\n\t", "<script>%s {x} \\N\n\t"),
        ("x" * 30_000, f"{'x' * 20_000} … (30,000 characters)"),
    ],
)
def test_message_of_any_text_is_stored(orders: Database, opened: JobLogHook, message: str, stored: str) -> None:
    opened.detail(message, "warning")
    rows = orders.execute("SELECT message, level, task_id, try_number FROM job_log_details ORDER BY id DESC LIMIT 1")
    assert rows.fetchall() == [(stored, "warning", "connect", 1)]


def test_detail_in_a_transaction_appears_only_if_it_commits(orders: Database, opened: JobLogHook) -> None:
    with opened.connect("test") as connection:
        with connection.transaction(force_rollback=True):
            opened.detail("rolled back", connection=connection)
        with connection.transaction():
            opened.detail("committed", connection=connection)
    assert "committed" in texts(orders)
    assert "rolled back" not in texts(orders)


def test_hook_goes_on_after_the_database_ended_its_session(orders: Database, opened: JobLogHook) -> None:
    orders.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'open_orders job log'"
    )
    opened.detail("still here")
    assert texts(orders)[-1] == "still here"


def sessions(orders: Database) -> list[str]:
    """Return the names of the sessions that a hook has, oldest first."""
    found = orders.execute(
        """SELECT application_name FROM pg_stat_activity
           WHERE datname = current_database() AND application_name ~ '^(open_orders|work$)' ORDER BY backend_start"""
    )
    return [name for (name,) in found]


def test_work_has_the_session_of_the_job_log_and_gives_it_back(orders: Database, opened: JobLogHook) -> None:
    with opened.working("work") as connection:
        opened.detail("between two transactions")
        assert sessions(orders) == ["work"]
    opened.detail("done")
    assert sessions(orders) == ["work"]
    assert not connection.closed


def test_message_written_during_work_stands_whatever_becomes_of_the_work(orders: Database, opened: JobLogHook) -> None:
    with opened.working("work") as connection, connection.transaction(force_rollback=True):
        opened.detail("meanwhile")
        opened.detail("part of the work", connection=connection)
        assert sessions(orders) == ["work", "open_orders job log"]
    assert texts(orders)[-1] == "meanwhile"
    assert connection.closed


def test_session_of_work_that_broke_off_is_not_used_again(orders: Database, opened: JobLogHook) -> None:
    with pytest.raises(ZeroDivisionError), opened.working("work") as connection:
        raise ZeroDivisionError
    assert connection.closed
    opened.detail("it broke off")
    assert texts(orders)[-1] == "it broke off"


def test_heartbeat_goes_on_during_a_long_statement(
    orders: Database, execution: MakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("open_orders.job_log_hook.load_settings", lambda: _Fast())
    with JobLogHook().step(execution(run_id="it")) as log, log.connect("waiter") as connection:
        # Returns as soon as a heartbeat came after the statement began; the lock_timeout of a failure is 15 s.
        connection.execute(
            """DO $$ DECLARE began timestamptz := clock_timestamp(); BEGIN
               FOR _ IN 1..1500 LOOP
                   EXIT WHEN (SELECT heartbeat_at FROM job_logs) > began;
                   PERFORM pg_sleep(0.01);
               END LOOP;
               ASSERT (SELECT heartbeat_at FROM job_logs) > began, 'no heartbeat'; END $$"""
        )


class _Fast:
    heartbeat_s = 0.05
    dead_after_s = 300


def test_default_order_of_details_is_chronological(orders_dsn: str, orders: Database, opened: JobLogHook) -> None:
    for text in ("first", "second", "third"):
        opened.detail(text)
    orders.execute("UPDATE job_log_details SET created_at = '2026-01-01' WHERE message = 'third'")
    engine = create_engine(orders_dsn.replace("postgresql://", "postgresql+psycopg://"))
    with Session(engine) as session:
        expected = ["third", "Job started - sync_open_orders (manual, triggered by admin)", "first", "second"]
        assert [detail.message for detail in session.scalars(JobLogDetail.chronological())] == expected
        assert [detail.message for detail in session.query(JobLog).one().details] == expected
    engine.dispose()


def test_detail_before_open_is_an_error() -> None:
    with pytest.raises(JobError, match="call JobLogHook.open first"):
        JobLogHook().detail("too early")

"""JobLogHook, the shared hook with which a DAG writes down what it does.

A DAG of one task logs itself in three lines::

    with JobLogHook().job() as log:
        count = do_the_work()
        log.detail(f"Did {count} things")

A DAG of several tasks wraps each of them in `step` and closes the log with `succeed` in the last one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from open_orders.errors import JobAlreadyRunningError, JobError, JobLogClosedError, SchemaVersionError
from open_orders.execution import OUTSIDE, Execution, RunState
from open_orders.heartbeat import beat_while_working
from open_orders.job_log_store import Counts, Holder, JobLogStore, Level, StoredLog, UnfinishedLog
from open_orders.job_status import OPEN_STATUSES, JobStatus
from open_orders.masking import hide_secrets, redact, redact_error
from open_orders.metrics import report_error, report_last_success, report_success
from open_orders.reasons import describe_exception, explain
from open_orders.schema_version import check_revision
from open_orders.settings import load_settings

Connection = psycopg.Connection[Any]

MESSAGE_LIMIT = 20_000
SUMMARY_LIMIT = 500
# What the code relies on, whatever the database's or the role's own defaults are.
SESSION_SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "TimeZone": "UTC",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    # The comparison with what is published takes up to twice as much, and does with the disk what is beyond.
    "work_mem": "64MB",
    # PostgreSQL ends the session of a machine that vanished within 20 s; the kernel alone would take two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
    # The same where it had something to say to that machine.
    "tcp_user_timeout": "20s",
}
RESTORED = "The run succeeded without repeating its last step: what it had published before stands"


class JobLogHook(PostgresHook):
    """Open, write and close the job log of one DAG run in the database of the connection `orders_db`."""

    default_conn_name = "orders_db"

    def __init__(self, postgres_conn_id: str = default_conn_name) -> None:
        super().__init__(postgres_conn_id=postgres_conn_id)
        self.job_log_id = 0
        self.job_log_name = ""
        self.succeeded = False
        self._success: tuple[float, Counts] | None = None
        self._execution: Execution | None = None
        self._store = JobLogStore(self.connect)

    @property
    def execution(self) -> Execution:
        """The execution that the log was opened for; raises JobError before `open`."""
        if self._execution is None:
            raise JobError("No job log is open: call JobLogHook.open first")
        return self._execution

    def connect(self, application_name: str) -> Connection:
        """Return a new connection to the orders database in autocommit mode, named for `pg_stat_activity`."""
        hide_secrets(self.connection)
        connection = cast("Connection", self.get_conn())
        connection.autocommit = True
        connection.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting (name, value)",
            [[*SESSION_SETTINGS, "application_name"], [*SESSION_SETTINGS.values(), application_name]],
        )
        return connection

    @contextmanager
    def working(self, application_name: str) -> Iterator[Connection]:
        """Yield a connection as `connect` does, for a step's work: it has the one of its job log, which saves a login.

        The block may leave it in no transaction. Messages without `connection` stand whatever becomes of the block's.
        """
        with self._store.lend(application_name) as connection:
            yield connection

    def open(self, execution: Execution) -> None:
        """Open the job log of this DAG run, or continue it when there is one, and take it over for this attempt.

        Afterwards the log is processing, or `succeeded` is true when an earlier attempt closed it as success.
        Raises JobLogClosedError when it ended as error and the run was not cleared since, JobAlreadyRunningError when
        another run of the same DAG is alive, SchemaVersionError when the database doesn't fit the code.
        """
        self._execution = execution
        with self._store.session() as connection:
            check_revision(connection)
        stored = self._store.find(execution.dag_id, execution.run_id) or self._store.insert(execution)
        if stored.status is JobStatus.PROCESSING:
            try:
                self._continue(stored)
            except JobLogClosedError:
                # An attempt before this one closed it in between; then what it closed it as decides.
                stored = self._store.find(execution.dag_id, execution.run_id) or stored
                if stored.status is JobStatus.PROCESSING:
                    raise
                self._open_closed(stored)
        else:
            self._open_closed(stored)

    def detail(self, message: str, level: Level = "info", *, connection: Connection | None = None) -> None:
        """Write a message to the job log and to the Airflow task log, secrets masked.

        With `connection` the message belongs to that connection's transaction: it appears if that commits.
        """
        message = _clean(message)
        {"info": self.log.info, "warning": self.log.warning, "error": self.log.error}[level]("%s", message)
        origin = (self.execution.step, self.execution.attempt)
        if connection is not None:
            self._store.add_detail(connection, self.job_log_id, message, level, *origin)
            return
        with self._store.session() as own:
            self._store.add_detail(own, self.job_log_id, message, level, *origin)

    def find(self, dag_id: str, run_id: str) -> int | None:
        """Return the id of a run's job log, None when it has none."""
        try:
            stored = self._store.find(dag_id, run_id)
        finally:
            self._store.close()
        return None if stored is None else stored.id

    def remark(self, job_log_id: int | None, message: str, level: Level = "info") -> None:
        """Write a message to a job log, which may be closed or another job's, and to this process's own log.

        Without a job log, or when that was deleted meanwhile, only to the latter.
        """
        message = _clean(message)
        {"info": self.log.info, "warning": self.log.warning, "error": self.log.error}[level]("%s", message)
        if job_log_id is None:
            return
        try:
            with self._store.session() as connection:
                self._store.add_detail(connection, job_log_id, message, level)
        except psycopg.errors.ForeignKeyViolation:
            self.log.info("Job log %d is no longer kept", job_log_id)
        finally:
            self._store.close()

    def heartbeat(self) -> None:
        """Say that this attempt is alive; raises JobLogClosedError when it no longer holds the job log."""
        with self._store.session() as connection:
            self.advance(connection)

    def advance(self, connection: Connection, counts: Counts | None = None) -> None:
        """Do the heartbeat, and write counts, in the connection's transaction: the fence of what it commits."""
        with self._holding():
            self._store.advance(connection, self._holder, counts or Counts())

    def succeed(self, counts: Counts | None = None, *, connection: Connection | None = None) -> None:
        """Close the log as success with these counts, in `connection`'s transaction if given.

        Raises JobLogClosedError when somebody else closed it or took it over first: then the caller must roll back.
        """
        if connection is None:
            with self._store.session() as own, own.transaction():
                self.succeed(counts, connection=own)
            return
        with self._holding():
            duration_s = self._store.succeed(connection, self._holder, counts or Counts())
        self.detail(f"Job finished in {duration_s:.1f} s", connection=connection)
        # Reported at the end of the step: until then the caller's transaction may roll back.
        self._success = duration_s, counts or Counts()

    def fail(self, error: BaseException | str) -> bool:
        """Close the log as error; returns False when this attempt no longer holds it, and changes nothing then."""
        reason = error if isinstance(error, str) else explain(error)
        closed = self._store.fail(self.job_log_id, _summary(f"{self.execution.step}: {reason}"), holder=self._holder)
        if closed:
            report_error(self.execution.dag_id)
        return closed

    def abandon(self, reason: str) -> None:
        """Report that this attempt can't go on, and end its process: for a thread that sees the others stuck."""
        try:
            self._report(JobError(reason), final=self.execution.is_last_attempt)
        finally:
            os._exit(1)

    def close_dead(self, job_name: str | None = None) -> list[str]:
        """Close as error every log (of one job, or of all) whose run died, and return their names.

        Dead is a log whose DAG run Airflow no longer has queued or running, or that had no heartbeat for
        OPEN_ORDERS_DEAD_AFTER_S seconds. This run's own log is left alone.
        """
        others = self._store.select_unfinished(job_name, self.job_log_id or None)
        return [other.name for other in others if self._is_dead(other) and self._close_dead_log(other)]

    def report_last_successes(self, job_name: str | None = None) -> None:
        """Report to Airflow's metrics when each job last succeeded, or one job."""
        for last in self._store.select_last_successes(job_name):
            report_last_success(last.job_name, last.completed_at, last.age_s)

    def close_run(self, dag_id: str, run_id: str, clear_number: int | None, reason: str, *, succeeded: bool) -> bool:
        """Close the log of a run that ended without closing it itself, as Airflow's callbacks do; idempotent.

        A log that had succeeded before, in a run that was cleared in part and succeeded again, is a success. A callback
        that comes when the run was already cleared once more closes nothing. Returns whether it closed the log.
        """
        try:
            stored = self._store.find(dag_id, run_id)
            if stored is None or stored.status not in OPEN_STATUSES:
                return False
            if succeeded and self._store.restore(stored.id, RESTORED, clear_number):
                report_success(dag_id, None, Counts())
                return True
            detail = _clean(f"Closed by Airflow's callback: {reason}")
            closed = self._store.fail(stored.id, _summary(reason), clear_number=clear_number, detail=detail)
            if closed:
                report_error(dag_id)
            return closed
        finally:
            self._store.close()

    @contextmanager
    def step(self, execution: Execution | None = None) -> Iterator[JobLogHook]:
        """Do one task's work under the job log: open or continue it, keep its heartbeat, report what goes wrong.

        The execution is that of the running task unless given.
        A failure is written with its plain reason and the exception; the last attempt's closes the log. Permanent
        errors become AirflowFailException, so that Airflow doesn't retry them.
        """
        execution = execution or Execution.from_context(get_current_context())
        try:
            self.open(execution)
            if execution.attempt > 1:
                self.detail(f"Attempt {execution.attempt} of {execution.attempts}", "warning")
            with beat_while_working(self, load_settings().heartbeat_s):
                yield self
        # AirflowTaskTimeout is no Exception: that way a task's own handlers don't stop it.
        except (Exception, AirflowTaskTimeout) as error:
            # Airflow writes its traceback into the task log.
            redact_error(error)
            permanent = isinstance(error, JobError) and error.permanent
            self._report(error, final=permanent or execution.is_last_attempt)
            if permanent:
                raise AirflowFailException(str(error)) from error
            raise
        else:
            self._report_success()
        finally:
            self._store.close()

    @contextmanager
    def job(self, execution: Execution | None = None) -> Iterator[JobLogHook]:
        """Do a whole job that is one task: a `step` that closes the log as success at its end."""
        with self.step(execution):
            yield self
            self.succeed()

    @contextmanager
    def unlogged(self, execution: Execution | None = None) -> Iterator[JobLogHook]:
        """Let a task look after other jobs' logs without a log of its own."""
        self._execution = execution or Execution.from_context(get_current_context())
        try:
            with self._store.session() as connection:
                check_revision(connection)
            yield self
        except SchemaVersionError as error:
            raise AirflowFailException(str(error)) from error
        finally:
            self._store.close()

    @property
    def _holder(self) -> Holder:
        return Holder(self.job_log_id, self.execution.step, self.execution.attempt)

    def _continue(self, stored: StoredLog) -> None:
        """Take a log over that is processing."""
        self.job_log_id, self.job_log_name = stored.id, stored.name
        with self._holding():
            self._store.enter_step(self._holder, self.execution)
        if stored.is_older_than(self.execution):
            self.detail(f"Run cleared: job log {stored.name} is continued")

    def _open_closed(self, stored: StoredLog) -> None:
        """Begin a new log, or one that was closed and whose run began anew; otherwise what it was closed as stands."""
        self.job_log_id, self.job_log_name = stored.id, stored.name
        if stored.status is JobStatus.NEW:
            self._begin(f"Job started - {self.execution.dag_id} ({self.execution.origin})")
        elif stored.is_older_than(self.execution):
            why = "cleared" if self.execution.clear_number > stored.clear_number else "id used again"
            self._begin(f"Run {why}: job log {stored.name}, which had ended as {stored.status.word}, is continued")
        elif stored.status is JobStatus.SUCCESS:
            self.succeeded = True
        else:
            raise self._closed_error(stored.error_summary)

    def _begin(self, message: str) -> None:
        """Move the log to processing and say so, unless another run of the job is alive; dead ones are closed."""
        closed = self.close_dead(self.execution.dag_id)
        with self._holding():
            other = self._store.begin(self._holder, self.execution)
        if other is not None:
            raise JobAlreadyRunningError(
                f"Another run of {self.execution.dag_id} is in progress: job log {other.name}, last heartbeat "
                f"{_last_sign(other)}. One runs at a time; this one changed nothing"
            )
        # Of all jobs: one that no longer runs can't report its own.
        self.report_last_successes()
        self.detail(message)
        for name in closed:
            self.detail(f"Closed dead job log {name}: its run had died", "warning")

    def _is_dead(self, other: UnfinishedLog) -> bool:
        if other.silent_s > load_settings().dead_after_s:
            return True
        # Of a job outside of Airflow only the heartbeat tells.
        is_outside = other.run_id.startswith(OUTSIDE)
        return not is_outside and self.execution.run_state(other.dag_id, other.run_id) is not RunState.ACTIVE

    def _close_dead_log(self, other: UnfinishedLog) -> bool:
        if self.execution.run_state(other.dag_id, other.run_id) is RunState.SUCCEEDED and self._store.restore(
            other.id, RESTORED
        ):
            report_success(other.dag_id, None, Counts())
            return True
        where = other.step or "before the first step"
        reason = f"interrupted, no sign of life since {_last_sign(other)}"
        closer = self.job_log_name or self.execution.dag_id
        detail = f"Interrupted: no sign of life since {_last_sign(other)}; closed by {closer}"
        closed = self._store.fail(other.id, f"{where}: {reason}", completed_at=other.heartbeat_at, detail=detail)
        if closed:
            report_error(other.dag_id)
        return closed

    def _report_success(self) -> None:
        """Report a success of this step to Airflow's metrics, once it is committed."""
        if self._success is not None:
            report_success(self.execution.dag_id, *self._success)
            self.report_last_successes(self.execution.dag_id)

    def _report(self, error: BaseException, *, final: bool) -> None:
        """Write a failure down; a database that is out of reach must not hide the failure itself."""
        execution = self.execution
        try:
            # A run that was cleared and refused has a closed log: what it was closed as stands, with the refusal below.
            refused = isinstance(error, JobAlreadyRunningError)
            if self.job_log_id == 0 or not (refused or self._store.holds(self._holder)):
                self.log.error("%s: %s", execution.step, _clean(explain(error)))
                return
            self.detail(f"Attempt {execution.attempt} of {execution.attempts} failed: {explain(error)}", "error")
            if not isinstance(error, JobError) or error.__cause__ is not None:
                self.detail(describe_exception(error), "error")
            if final:
                self.fail(error)
        except (psycopg.Error, UnicodeError):
            self.log.exception("The failure could not be written to the job log %s", self.job_log_name)

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Turn the store's 'no such row' into the error that stops a step."""
        try:
            yield
        except LookupError:
            raise self._closed_error() from None

    def _closed_error(self, summary: str | None = None) -> JobLogClosedError:
        because = f" ({summary})" if summary else ""
        return JobLogClosedError(
            f"Job log {self.job_log_name} was closed or taken over by another attempt{because}: this step stops and "
            "changes nothing. To repeat the run, clear it in Airflow or trigger a new one"
        )


def _clean(message: str) -> str:
    """Return the message without secrets and without what PostgreSQL can't store, of bounded length."""
    text = redact(message).replace("\x00", "\N{SYMBOL FOR NULL}")
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= MESSAGE_LIMIT else f"{text[:MESSAGE_LIMIT]} … ({len(text):,} characters)"


def _summary(reason: str) -> str:
    """Return the first line of a reason, as the list of job logs shows it."""
    return _clean(reason).partition("\n")[0][:SUMMARY_LIMIT]


def _last_sign(log: UnfinishedLog) -> str:
    return f"{log.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC"

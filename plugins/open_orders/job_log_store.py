"""Rows of `job_logs` and `job_log_details`: the statements of `include/sql/job_log` with their values bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, scalar_row

from open_orders.execution import Execution
from open_orders.job_names import candidate_names
from open_orders.job_status import JobStatus
from open_orders.statements import load_statement

Connection = psycopg.Connection[Any]
Level = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Counts:
    """What a job did, in rows; None where it has no such count."""

    fetched: int | None = None
    imported: int | None = None
    rejected: int | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    total_after: int | None = None


@dataclass(frozen=True)
class StoredLog:
    """A job log as `open` finds it."""

    id: int
    name: str
    status: JobStatus
    clear_number: int
    run_started_at: datetime | None
    error_summary: str | None

    def is_older_than(self, execution: Execution) -> bool:
        """Whether the run was cleared since, or its id is now another run's."""
        started_at = execution.run_started_at
        return execution.clear_number > self.clear_number or (
            started_at is not None and self.run_started_at is not None and started_at > self.run_started_at
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", JobStatus(self.status))


@dataclass(frozen=True)
class UnfinishedLog:
    """A job log that nobody closed; `silent_s` is the age of its last heartbeat in seconds."""

    id: int
    name: str
    status: JobStatus
    dag_id: str
    run_id: str
    step: str | None
    heartbeat_at: datetime
    silent_s: float


@dataclass(frozen=True)
class LastSuccess:
    """When a job last succeeded; `age_s` in seconds, by the database's clock."""

    job_name: str
    completed_at: datetime
    age_s: float


@dataclass(frozen=True)
class Holder:
    """The attempt of a step that holds a job log; only its writes count."""

    id: int
    step: str
    step_try: int


class JobLogStore:
    """Read and write job logs over one autocommit connection, opened when first needed and again when it broke."""

    def __init__(self, connect: Callable[[str], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._lent: Connection | None = None

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Yield the store's connection; a database that restarted since the last use gets a new one."""
        if self._lent is not None and self._lent.info.transaction_status is TransactionStatus.IDLE:
            yield self._lent
            return
        if self._connection is None or not _answers(self._connection):
            self._connection = self._connect("open_orders job log")
        yield self._connection

    @contextmanager
    def lend(self, application_name: str) -> Iterator[Connection]:
        """Yield the connection, renamed for other work. Within its transactions the job logs have another one.

        Afterwards it serves the job logs again, unless the work broke off or they have that other one.
        """
        with self.session() as connection:
            connection.execute("SELECT set_config('application_name', %s, false)", [application_name])
        self._connection, self._lent = None, connection
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        finally:
            self._lent = None
        if self._connection is None:
            self._connection = connection
        else:
            connection.close()

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._connection is not None:
            self._connection.close()

    def now(self) -> datetime:
        """Return the database's clock, the one that all job logs go by."""
        with self.session() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            return cast("datetime", cursor.execute("SELECT clock_timestamp()").fetchone())

    def find(self, dag_id: str, run_id: str) -> StoredLog | None:
        """Return the log of a DAG run."""
        with self.session() as connection, connection.cursor(row_factory=class_row(StoredLog)) as cursor:
            return cursor.execute(load_statement("job_log/find"), {"dag_id": dag_id, "run_id": run_id}).fetchone()

    def insert(self, execution: Execution) -> StoredLog:
        """Insert a log under the first free name of this second; when another process was faster, return its log."""
        started_at = self.now()
        values = {
            "job_name": execution.dag_id,
            "dag_id": execution.dag_id,
            "run_id": execution.run_id,
            "clear_number": execution.clear_number,
            "trigger": execution.trigger,
            "triggered_by": execution.triggered_by,
            "run_started_at": execution.run_started_at,
            "started_at": started_at,
        }
        names = candidate_names(started_at)
        stored = None
        while stored is None:
            with self.session() as connection, connection.cursor(row_factory=class_row(StoredLog)) as cursor:
                row = cursor.execute(load_statement("job_log/insert"), {**values, "name": next(names)}).fetchone()
            stored = row or self.find(execution.dag_id, execution.run_id)
        return stored

    def begin(self, holder: Holder, execution: Execution) -> UnfinishedLog | None:
        """Move a log to processing; returns instead another log of the same job that is processing.

        Raises LookupError when the log can't move, since it was closed.
        """
        with self.session() as connection, connection.transaction():
            connection.execute(load_statement("job_log/lock_job"), {"job_name": execution.dag_id})
            for other in self.select_unfinished(execution.dag_id, holder.id):
                if other.status == JobStatus.PROCESSING:
                    return other
            self._move(connection, "begin", holder, **_generation(execution), started_at=self.now())
        return None

    def enter_step(self, holder: Holder, execution: Execution) -> None:
        """Take a processing log over; raises LookupError when it no longer is."""
        with self.session() as connection:
            self._move(connection, "enter_step", holder, **_generation(execution))

    def holds(self, holder: Holder) -> bool:
        """Return whether the attempt may still write to the log."""
        with self.session() as connection:
            return connection.execute(load_statement("job_log/holds"), asdict(holder)).fetchone() is not None

    def advance(self, connection: Connection, holder: Holder, counts: Counts) -> None:
        """Write heartbeat and counts in the connection's transaction; LookupError when the holder lost the log."""
        self._move(connection, "advance", holder, **asdict(counts))

    def succeed(self, connection: Connection, holder: Holder, counts: Counts) -> float:
        """Close as success in the connection's transaction and return the duration in seconds; LookupError as above."""
        duration_s: float = self._move(connection, "succeed", holder, **asdict(counts))
        return duration_s

    def fail(
        self,
        job_log_id: int,
        summary: str,
        *,
        holder: Holder | None = None,
        clear_number: int | None = None,
        completed_at: datetime | None = None,
        detail: str | None = None,
    ) -> bool:
        """Close an unfinished log as error, with a last detail; False when it was closed, or the holder lost it.

        With `clear_number`, the same when the run was cleared more often since.
        """
        values = {
            "step": None,
            "step_try": None,
            **(asdict(holder) if holder else {}),
            "id": job_log_id,
            "error_summary": summary,
            "clear_number": clear_number,
            "completed_at": completed_at,
        }
        with self.session() as connection, connection.transaction():
            closed = connection.execute(load_statement("job_log/fail"), values).fetchone()
            if closed is not None and detail is not None:
                self.add_detail(connection, job_log_id, detail, "error")
        return closed is not None

    def restore(self, job_log_id: int, detail: str, clear_number: int | None = None) -> bool:
        """Close as success a log that had succeeded and was opened again, with a last detail; False for any other."""
        values = {"id": job_log_id, "clear_number": clear_number}
        with self.session() as connection, connection.transaction():
            restored = connection.execute(load_statement("job_log/restore"), values).fetchone() is not None
            if restored:
                self.add_detail(connection, job_log_id, detail, "info")
        return restored

    def add_detail(
        self,
        connection: Connection,
        job_log_id: int,
        message: str,
        level: Level,
        task_id: str | None = None,
        try_number: int | None = None,
    ) -> None:
        """Add one message, in the connection's transaction."""
        values = {"job_log_id": job_log_id, "level": level, "task_id": task_id, "try_number": try_number}
        connection.execute(load_statement("job_log/insert_detail"), {**values, "message": message})

    def select_unfinished(self, job_name: str | None, except_id: int | None) -> list[UnfinishedLog]:
        """Return unfinished logs, of one job or of all, oldest first."""
        with self.session() as connection, connection.cursor(row_factory=class_row(UnfinishedLog)) as cursor:
            return cursor.execute(
                load_statement("job_log/select_unfinished"), {"job_name": job_name, "except_id": except_id}
            ).fetchall()

    def select_last_successes(self, job_name: str | None) -> list[LastSuccess]:
        """Return when each job last succeeded, or one job; jobs that never did are left out."""
        with self.session() as connection, connection.cursor(row_factory=class_row(LastSuccess)) as cursor:
            return cursor.execute(load_statement("job_log/select_last_successes"), {"job_name": job_name}).fetchall()

    def _move(self, connection: Connection, statement: str, holder: Holder, **values: Any) -> Any:
        """Run an UPDATE that returns a value when it found its row; raises LookupError when it didn't."""
        with connection.cursor(row_factory=scalar_row) as cursor:
            cursor.execute(load_statement(f"job_log/{statement}"), {**asdict(holder), **values})
            if cursor.rowcount == 0:
                raise LookupError(statement)
            return cursor.fetchone()


def _generation(execution: Execution) -> dict[str, Any]:
    """Return the parameters that tell this run of a run id from those before."""
    return {"clear_number": execution.clear_number, "run_started_at": execution.run_started_at}


def _answers(connection: Connection) -> bool:
    """Return whether the session behind a connection still exists; asks the server only between transactions."""
    status = connection.info.transaction_status
    if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        return True
    if status is not TransactionStatus.IDLE:
        # Broken, or interrupted in the middle of a statement by the task's time limit.
        connection.close()
        return False
    try:
        connection.execute("")
    except psycopg.OperationalError:
        return False
    return True

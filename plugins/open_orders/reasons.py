"""Plain-language reasons: what a person who looks after the sync reads instead of an exception."""

from __future__ import annotations

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowTaskTimeout
from psycopg import errors

from open_orders.errors import JobError

_POSTGRES: tuple[tuple[type[psycopg.Error], str], ...] = (
    (
        errors.LockNotAvailable,
        "The orders database kept a table locked for too long: another session holds it",
    ),
    (errors.QueryCanceled, "The orders database cancelled the statement: it took longer than the time limit"),
    (
        errors.InsufficientPrivilege,
        "The user of connection orders_db lacks a right in the orders database; run: bin/roles",
    ),
    (errors.UndefinedTable, "A table is missing in the orders database; run: bin/migrate"),
    (errors.DiskFull, "The disk of the orders database is full"),
    (errors.SerializationFailure, "Another session changed the same rows of the orders database at the same time"),
    (errors.IdleInTransactionSessionTimeout, "The orders database ended a session that waited too long for the source"),
    (errors.DeadlockDetected, "The orders database ended a deadlock with another session"),
    (errors.AdminShutdown, "The orders database was shut down"),
    (errors.CrashShutdown, "The orders database crashed"),
    (errors.CannotConnectNow, "The orders database is starting up or shutting down"),
    (errors.TooManyConnections, "The orders database has no connection left"),
    (errors.InvalidPassword, "The orders database refused the login; check the connection orders_db"),
)


def explain(error: BaseException) -> str:
    """Return one sentence that says what happened, and what to do where that is known; names no secret."""
    if isinstance(error, JobError):
        return str(error)
    if isinstance(error, AirflowTaskTimeout):
        return "The step took longer than its time limit and was stopped"
    if isinstance(error, AirflowNotFoundException):
        return f"{error}: add the connection in Airflow, or set it as an AIRFLOW_CONN_… variable"
    if isinstance(error, psycopg.Error):
        return _explain_postgres(error)
    return f"Unexpected error: {type(error).__name__}: {error}"


def _explain_postgres(error: psycopg.Error) -> str:
    text = _first_line(error)
    for kind, reason in _POSTGRES:
        if isinstance(error, kind):
            return f"{reason} ({text})"
    if isinstance(error, psycopg.OperationalError):
        return f"The orders database can't be reached or closed the connection ({text})"
    return f"The orders database refused a statement ({text})"


def describe_exception(error: BaseException) -> str:
    """Return the exception that started it all, with its class, for the engineer."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"{type(cause).__module__}.{type(cause).__qualname__}: {cause}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

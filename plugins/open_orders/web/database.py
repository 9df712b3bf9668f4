"""Reading the orders database for a page: pooled connections, read-only transactions, a limit on each statement."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from open_orders.masking import hide_secrets, redact, redact_error
from open_orders.schema_version import check_revision

if TYPE_CHECKING:
    from airflow.sdk import Connection

log = logging.getLogger(__name__)
CONNECTION_ID = "orders_db_web"
# The pipeline's, with which pages did before they had a role of their own.
FALLBACK_ID = "orders_db"
APPLICATION_NAME = "open_orders web"
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 10
DOWNLOAD_TIMEOUT_S = 120
POOL_TIMEOUT_S = 10
# A download waits, in its transaction, for whoever reads it; not for one who has stopped reading.
IDLE_TIMEOUT_S = 60
# Pages; downloads, which last as long as a reader's line is slow; what is worked out beside the requests.
Use = Literal["pages", "downloads", "snapshots"]
# Connections of each, kept and at most: the api-server answers in up to 40 threads, and that many would be for nobody's
# good. To open one takes longer than most pages.
POOLS: dict[Use, tuple[int, int]] = {"pages": (5, 5), "downloads": (1, 4), "snapshots": (2, 2)}


class DatabaseUnreachableError(Exception):
    """The orders database does not answer, or nobody said where it is."""


class StatementTimeoutError(Exception):
    """The orders database was too slow for a page."""


class MissingRightError(Exception):
    """The role of the pages may not do what a page needs."""


@cache
def engine(use: Use) -> Engine:
    """Return the process's engine on the connection `orders_db_web`; nothing is connected before the first read.

    Each use has one of its own, so that none keeps another waiting.
    """
    kept, most = POOLS[use]
    return create_engine(
        "postgresql+psycopg://",
        creator=_connect,
        pool_size=kept,
        max_overflow=most - kept,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        # A connection that was changed in Airflow takes effect without a restart.
        pool_recycle=300,
        isolation_level="REPEATABLE READ",
    )


def _connect() -> psycopg.Connection[Any]:
    """Return a new psycopg connection, made as the pipeline's are, with the login and extras of the pages."""
    connection = deepcopy(_find_connection())
    hide_secrets(connection)
    # Without a limit a host that drops packets would hold a page for minutes.
    connection.extra = json.dumps({"connect_timeout": CONNECT_TIMEOUT_S, **connection.extra_dejson})
    made = cast("psycopg.Connection[Any]", PostgresHook(connection=connection).get_conn())
    made.execute(
        "SELECT set_config('application_name', %s, false), set_config('TimeZone', 'UTC', false)", [APPLICATION_NAME]
    )
    made.commit()
    return made


def _find_connection() -> Connection:
    try:
        return PostgresHook(CONNECTION_ID).connection
    except AirflowNotFoundException:
        found = PostgresHook(FALLBACK_ID).connection
    _warn_of_fallback()
    return found


@cache
def _warn_of_fallback() -> None:
    """Say it once in a process, not for each of its connections."""
    log.warning(
        "There is no Airflow connection %s: the pages use %s, whose role can write. bin/roles makes one for reading",
        CONNECTION_ID,
        FALLBACK_ID,
    )


@contextmanager
def read(use: Use = "pages") -> Iterator[Session]:
    """Yield a session in one read-only transaction, in which all selects see the same moment.

    Raises DatabaseUnreachableError, SchemaVersionError when the tables are not those of this code, MissingRightError
    when the pages' role may not read them, and StatementTimeoutError when one statement takes longer than
    STATEMENT_TIMEOUT_S, of a download DOWNLOAD_TIMEOUT_S.
    """
    limits = {
        "transaction_read_only": "on",
        "statement_timeout": f"{DOWNLOAD_TIMEOUT_S if use == 'downloads' else STATEMENT_TIMEOUT_S}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_S}s",
    }
    if use == "snapshots":
        # Nobody waits for these: the processors are for the pages.
        limits["max_parallel_workers_per_gather"] = "0"
    try:
        with Session(engine(use), autoflush=False) as session:
            session.execute(select(*(func.set_config(name, limit, True) for name, limit in limits.items())))
            driver: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
            check_revision(driver)
            yield session
    except AirflowNotFoundException as error:
        raise DatabaseUnreachableError(f"There is no Airflow connection {CONNECTION_ID}, nor {FALLBACK_ID}") from error
    except PoolTimeoutError as error:
        raise DatabaseUnreachableError("All connections to the orders database are in use") from error
    except DBAPIError as error:
        # What nobody explains, the server's log has with its traceback.
        redact_error(error)
        raise _explain(error) or error from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise MissingRightError(_first_line(error)) from error
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(_first_line(error)) from error


def _explain(error: DBAPIError) -> Exception | None:
    if isinstance(error.orig, psycopg.errors.QueryCanceled):
        return StatementTimeoutError("The orders database took too long to answer")
    if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
        return MissingRightError(_first_line(error.orig))
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return DatabaseUnreachableError(_first_line(error.orig))
    return None


def _first_line(error: BaseException | None) -> str:
    return redact((str(error).splitlines() or [""])[0])

"""The source's driver: what the pipeline asks of it, and which one it is.

Each of the two is a module of its own, imported when it is chosen: a run uses one, never both. A scheduler that forks
its tasks loads the usual one before that (`open_orders.preload`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from open_orders.contract import Column
from open_orders.errors import ConnectionSettingsError
from open_orders.landing import Batch
from open_orders.source_connection import MSSQL_PYTHON, PYMSSQL, SourceAddress, read_driver

if TYPE_CHECKING:
    from airflow.sdk import Connection


@dataclass(frozen=True)
class Query:
    """A running source query: where each column of the contract is in its rows, and which columns nobody asked for."""

    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    extra_columns: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the contract's columns."""
        return tuple(column.name for column in self.columns)


class DriverSession(Protocol):
    """An open connection. Every method but `explain` may raise what `Driver.errors` lists."""

    @property
    def rows_received(self) -> int:
        """Rows since `start`, those included that `fetch` is still gathering where it knows."""

    @property
    def portion(self) -> str:
        """What it gathers before that number grows, for a sentence."""

    @property
    def is_reading(self) -> bool:
        """Whether `close` would first read what is left of a result."""

    def ask(self, statement: str, width: int) -> tuple[Any, ...]:
        """Return the first values of the statement's first row, at most so many; empty when it has none."""

    def execute(self, statement: str) -> None:
        """Run a statement without result."""

    def start(self, statement: str) -> Sequence[str]:
        """Run a query and return the names of its first result's columns; none when it has no result."""

    def check(self, query: Query) -> None:
        """Raise SourceQueryError when the driver can't read a column of the contract exactly."""

    def fetch(self, query: Query, rows: int) -> tuple[Batch, bool]:
        """Return the next rows, at most so many, and whether they were the last."""

    def has_another_result(self) -> bool:
        """Go to the end of the answer, or to its next result with columns."""

    def explain(self, error: Exception) -> str:
        """Return one sentence: what SQL Server or the way to it did, and what to do."""

    def close(self) -> None:
        """Close the connection."""


class Driver(Protocol):
    """A way to connect."""

    @property
    def kind(self) -> str:
        """Its name as the connection's extra `driver` has it."""

    @property
    def name(self) -> str:
        """Its name and version for the job log, and why it is not the usual one if so."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """All that it may raise when something fails."""

    @property
    def login_timeout_s(self) -> int:
        """Seconds to connect and log in."""

    def open(self) -> DriverSession:
        """Connect and log in."""

    def explain_login(self, error: Exception) -> str:
        """Return one sentence: why there is no connection, and what to do."""


def choose_driver(connection: Connection) -> Driver:
    """Return the driver that the connection's extra `driver` names; without it mssql-python where that can be used.

    Raises ConnectionSettingsError when the one that is asked for can't be used.
    """
    address = SourceAddress.of(connection)
    asked = read_driver(connection)
    if asked == PYMSSQL:
        return _make_pymssql(connection, address)
    from open_orders import source_mssql_python

    missing = source_mssql_python.what_is_missing()
    if missing is None:
        return source_mssql_python.MssqlPythonDriver(connection, address)
    if asked == MSSQL_PYTHON:
        raise ConnectionSettingsError(
            f"The connection {connection.conn_id} asks for the driver {MSSQL_PYTHON}, which can't be used: {missing}"
        )
    return _make_pymssql(connection, address, f" ({MSSQL_PYTHON} can't be used: {missing})")


def _make_pymssql(connection: Connection, address: SourceAddress, instead: str = "") -> Driver:
    from open_orders import source_pymssql

    return source_pymssql.PymssqlDriver(connection, address, instead)

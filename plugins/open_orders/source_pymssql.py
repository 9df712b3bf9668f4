"""Read through pymssql: rows of Python values, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pymssql

from open_orders.landing import Batch, RowBatch
from open_orders.source_connection import PYMSSQL, SourceAddress, pymssql_arguments
from open_orders.source_driver import Query
from open_orders.source_pymssql_errors import DRIVER_ERRORS, explain_driver_error
from open_orders.source_texts import losses, mark_losses, notice_losses

if TYPE_CHECKING:
    from airflow.sdk import Connection


class PymssqlDriver:
    """Connects through pymssql and FreeTDS; `instead` says after the name why it is this one."""

    kind = PYMSSQL
    errors: tuple[type[Exception], ...] = DRIVER_ERRORS

    def __init__(self, connection: Connection, address: SourceAddress, instead: str = "") -> None:
        self.name = f"{PYMSSQL} {version(PYMSSQL)}{instead}"
        self._address = address
        self._arguments = pymssql_arguments(connection)
        self.login_timeout_s: int = self._arguments["login_timeout"]

    def open(self) -> PymssqlSession:
        """Connect and log in."""
        notice_losses()
        return PymssqlSession(pymssql.connect(**self._arguments), self._address)

    def explain_login(self, error: Exception) -> str:
        """Return one sentence: why there is no connection, and what to do."""
        return explain_driver_error(error, self._address, 0)


class PymssqlSession:
    """One connection of pymssql's, and its cursor."""

    portion = "a row"
    # pymssql cancels what is left of a result.
    is_reading = False

    def __init__(self, connection: pymssql.Connection, address: SourceAddress) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._address = address
        self._received = 0
        self._arriving: list[tuple[Any, ...]] = []

    @property
    def rows_received(self) -> int:
        """Rows since `start`, those included that are still being gathered."""
        return self._received + len(self._arriving)

    def ask(self, statement: str, width: int) -> tuple[Any, ...]:
        """Return the first values of the statement's first row, at most so many; empty when it has none."""
        self._cursor.execute(statement)
        row = self._cursor.fetchone() if self._cursor.description is not None else None
        return tuple(row or ())[:width]

    def execute(self, statement: str) -> None:
        """Run a statement without result."""
        self._cursor.execute(statement)

    def start(self, statement: str) -> Sequence[str]:
        """Run a query and return the names of its first result's columns; none when it has no result."""
        self._received = 0
        self._cursor.execute(statement)
        return [column[0] for column in self._cursor.description or ()]

    def check(self, query: Query) -> None:
        """Do nothing: of what its values lose, `fetch` takes notice."""

    def fetch(self, query: Query, rows: int) -> tuple[Batch, bool]:
        """Return the next rows, at most so many, and whether they were the last.

        One by one, since fetchmany forgets what it had when it fails; and not beyond the last, since pymssql goes on
        with the next result then.
        """
        found = self._arriving = []
        fetch_one = self._cursor.fetchone
        row = None
        losses.noticed = False
        while len(found) < rows and (row := fetch_one()) is not None:
            found.append(mark_losses(row) if losses.noticed else row)
        self._received += len(found)
        self._arriving = []
        positions = query.positions
        if positions != tuple(range(len(positions))) or query.extra_columns:
            found = [tuple(values[position] for position in positions) for values in found]
        return RowBatch(query.columns, found), row is None

    def has_another_result(self) -> bool:
        """Go to the end of the answer, or to its next result with columns."""
        while self._cursor.nextset():
            if self._cursor.description is not None:
                return True
        return False

    def explain(self, error: Exception) -> str:
        """Return one sentence: what SQL Server or the way to it did, and what to do."""
        return explain_driver_error(error, self._address, self.rows_received)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

"""Read open orders from SQL Server: one statement, streamed, and confirmed by the session that ran it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymssql
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.contract import Contract
from open_orders.errors import ContractError, IncompleteFetchError, SourceError, SourceQueryError
from open_orders.source_connection import SourceAddress, connect
from open_orders.source_errors import explain_driver_error

__all__ = ["Query", "SourceSession", "open_source", "read_source_query"]


@dataclass(frozen=True)
class Query:
    """A running source query: where each column of the contract is in its rows, and which columns nobody asked for."""

    positions: tuple[int, ...]
    extra_columns: tuple[str, ...]


class SourceSession:
    """One session on the ERP's SQL Server."""

    def __init__(self, connection: pymssql.Connection, address: SourceAddress) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._address = address
        self._received = 0

    def read_version(self) -> str:
        """Return the first line of the server's own description of itself."""
        self._execute("SELECT @@VERSION")
        row = self._cursor.fetchone()
        return str(row[0]).splitlines()[0].strip() if row else "unknown version"

    def be_a_good_guest(self, lock_timeout_s: int) -> None:
        """Let the ERP's own work win: give up on a lock after so many seconds, and lose every deadlock."""
        self._execute(f"SET LOCK_TIMEOUT {lock_timeout_s * 1000:d}; SET DEADLOCK_PRIORITY LOW;")

    def start(self, statement: str, contract: Contract) -> Query:
        """Run the source query and return how its columns match; raises ContractError before the first row."""
        self._received = 0
        self._execute(statement)
        # Statements before the query (a DECLARE, an INSERT into a temporary table) have results without columns.
        while self._cursor.description is None:
            if not self._cursor.nextset():
                raise SourceQueryError("The source query returns no result: expected one SELECT with the orders")
        return match_columns([column[0] for column in self._cursor.description], contract)

    def batches(self, query: Query, batch_rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield lists of at most `batch_rows` tuples in contract order, as the driver's Python values."""
        positions = query.positions
        in_order = positions == tuple(range(len(positions))) and not query.extra_columns
        ended = False
        while not ended:
            rows, ended = self._fetch(batch_rows)
            if not rows:
                break
            yield rows if in_order else [tuple(row[position] for position in positions) for row in rows]
        self._refuse_further_results()

    def confirm(self) -> int:
        """Return the number of rows received once the server agrees; raises IncompleteFetchError otherwise.

        A driver can end early without an error, so the same session must answer, and count the same.
        """
        try:
            self._cursor.execute("SELECT @@ROWCOUNT")
            row = self._cursor.fetchone()
        except pymssql.Error as error:
            raise IncompleteFetchError(
                f"{self._received:,} rows arrived, but SQL Server did not confirm that they are all: "
                f"{explain_driver_error(error, self._address, self._received)}"
            ) from error
        counted = row[0] if row is not None and isinstance(row[0], int) else 0
        if counted != self._received:
            raise IncompleteFetchError(
                f"SQL Server counts {counted:,} rows but {self._received:,} arrived. The connection lost some, or the "
                "source query does more after its SELECT: the SELECT with the orders must be its last statement"
            )
        return self._received

    def _execute(self, statement: str) -> None:
        try:
            self._cursor.execute(statement)
        except pymssql.Error as error:
            raise SourceError(explain_driver_error(error, self._address, self._received)) from error

    def _refuse_further_results(self) -> None:
        try:
            while self._cursor.nextset():
                if self._cursor.description is not None:
                    raise SourceQueryError(
                        "The source query returns more than one result: expected one SELECT with the orders, at its end"
                    )
        except pymssql.Error as error:
            raise SourceError(explain_driver_error(error, self._address, self._received)) from error

    def _fetch(self, batch_rows: int) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the next rows, at most `batch_rows`, and whether they were the last.

        One by one, since fetchmany forgets what it had when it fails; and not beyond the last, since pymssql goes on
        with the next result then.
        """
        rows: list[tuple[Any, ...]] = []
        fetch_one = self._cursor.fetchone
        row = None
        try:
            while len(rows) < batch_rows and (row := fetch_one()) is not None:
                rows.append(row)
        except pymssql.Error as error:
            received = self._received + len(rows)
            raise SourceError(explain_driver_error(error, self._address, received)) from error
        self._received += len(rows)
        return rows, row is None


@contextmanager
def open_source(hook: MsSqlHook) -> Iterator[SourceSession]:
    """Yield a session on the server of the hook's connection; raises SourceError with a plain reason."""
    address = SourceAddress.of(hook.connection)
    try:
        connection = connect(hook.connection)
    except pymssql.Error as error:
        raise SourceError(explain_driver_error(error, address, 0)) from error
    try:
        yield SourceSession(connection, address)
    finally:
        connection.close()


def read_source_query(path: Path) -> str:
    """Return the text of the source query; raises SourceQueryError when there is none to read."""
    try:
        # utf-8-sig: SQL Server Management Studio writes a byte order mark.
        statement = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceQueryError(
            f"Cannot read the source query {path} ({error}): expected a file in UTF-8; OPEN_ORDERS_SOURCE_SQL names it"
        ) from error
    if not statement.strip():
        raise SourceQueryError(f"The source query {path} is empty: expected a SELECT with the contract's columns")
    return statement


def match_columns(found: Sequence[str], contract: Contract) -> Query:
    """Return where the contract's columns are; names match in any case, as SQL Server's do.

    Raises ContractError listing what was expected and found when a column is missing or comes twice.
    """
    lowered = [name.lower() for name in found]
    missing = [name for name in contract.names if name not in lowered]
    twice = sorted(name for name, times in Counter(lowered).items() if times > 1 and name in contract.names)
    if missing or twice:
        problems = [f"lacks {', '.join(missing)}"] if missing else []
        problems += [f"has {', '.join(twice)} more than once"] if twice else []
        raise ContractError(
            f"The source query {' and '.join(problems)}. Expected columns: {', '.join(contract.names)}. "
            f"Found: {', '.join(name or '(unnamed)' for name in found)}"
        )
    extra = tuple(name or "(unnamed)" for name in found if name.lower() not in contract.names)
    return Query(tuple(lowered.index(name) for name in contract.names), extra)

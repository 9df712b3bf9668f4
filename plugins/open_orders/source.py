"""Read open orders from SQL Server: one statement, streamed, and confirmed by the session that ran it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymssql
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.column_names import guess_renames
from open_orders.contract import Contract
from open_orders.errors import ContractError, IncompleteFetchError, SourceError, SourceQueryError
from open_orders.source_connection import SourceAddress, driver_arguments
from open_orders.source_errors import DRIVER_ERRORS, explain_driver_error
from open_orders.source_texts import losses, mark_losses, notice_losses
from open_orders.source_watch import SourceWatch, end_process, watch_source

__all__ = ["Clocks", "Query", "SourceSession", "open_source", "read_source_query"]


@dataclass(frozen=True)
class Query:
    """A running source query: where each column of the contract is in its rows, and which columns nobody asked for."""

    positions: tuple[int, ...]
    extra_columns: tuple[str, ...]


@dataclass(frozen=True)
class Clocks:
    """What the SQL Server's clock said: in UTC, and in its local time. `read_at` is when, by `time.monotonic()`."""

    utc: datetime
    local: datetime
    read_at: float


class SourceSession:
    """One session on the ERP's SQL Server."""

    def __init__(self, connection: pymssql.Connection, address: SourceAddress, watch: SourceWatch) -> None:
        self._cursor = connection.cursor()
        self._address = address
        self._watch = watch
        self._received = 0
        self._arriving: list[tuple[Any, ...]] = []
        watch.count_rows = lambda: self._received + len(self._arriving)

    def read_version(self) -> str:
        """Return the first line of the server's own description of itself."""
        lines = str(self._ask("SELECT @@VERSION")).strip().splitlines()
        return lines[0].strip() if lines else "unknown version"

    def read_clocks(self) -> Clocks:
        """Return the time that it is for the server."""
        # Not SYSDATETIME: its datetime2 is a text for protocol versions before 7.3.
        utc, local = self._ask_row("SELECT GETUTCDATE(), GETDATE()", 2)
        read_at = time.monotonic()
        if not isinstance(utc, datetime) or not isinstance(local, datetime):
            raise SourceError(f"SQL Server {self._address} gave no time when asked for it")
        return Clocks(utc.replace(tzinfo=UTC), local, read_at)

    def be_a_good_guest(self, lock_timeout_s: int) -> None:
        """Let the ERP's own work win: give up on a lock after so many seconds, and lose every deadlock."""
        with self._driver():
            self._cursor.execute(f"SET LOCK_TIMEOUT {lock_timeout_s * 1000:d}; SET DEADLOCK_PRIORITY LOW;")

    def start(self, statement: str, contract: Contract) -> Query:
        """Run the source query and return how its columns match; raises ContractError before the first row."""
        self._received = 0
        with self._driver():
            self._cursor.execute(statement)
        if self._cursor.description is None:
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
            counted = self._ask("SELECT @@ROWCOUNT")
        except SourceError as error:
            raise IncompleteFetchError(
                f"{self._received:,} rows arrived, but SQL Server did not confirm that they are all: {error}"
            ) from error.__cause__
        if not isinstance(counted, int):
            raise IncompleteFetchError(
                f"{self._received:,} rows arrived, but SQL Server gave no number when asked how many there are"
            )
        if counted != self._received:
            raise IncompleteFetchError(
                f"SQL Server counts {counted:,} rows but {self._received:,} arrived. The connection lost some, or the "
                "source query does more after its SELECT: the SELECT with the orders must be its last statement"
            )
        return self._received

    def _ask(self, statement: str) -> Any:
        """Return the first value of the statement's result; None when it has none."""
        return self._ask_row(statement, 1)[0]

    def _ask_row(self, statement: str, width: int) -> tuple[Any, ...]:
        """Return the first values of the statement's result, so many; None for each that it lacks."""
        with self._driver():
            self._cursor.execute(statement)
            row = self._cursor.fetchone() if self._cursor.description is not None else None
        return (*(row or ())[:width], *[None] * (width - len(row or ())))

    @contextmanager
    def _driver(self) -> Iterator[None]:
        """Watch the driver at its work, and turn what it raises into a SourceError with a plain reason."""
        with _explaining(self._watch, self._address), self._watch.working():
            yield

    def _refuse_further_results(self) -> None:
        with self._driver():
            while self._cursor.nextset():
                if self._cursor.description is not None:
                    raise SourceQueryError(
                        "The source query returns more than one result: expected one SELECT with the orders, at its end"
                    )

    def _fetch(self, batch_rows: int) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the next rows, at most `batch_rows`, and whether they were the last.

        One by one, since fetchmany forgets what it had when it fails; and not beyond the last, since pymssql goes on
        with the next result then.
        """
        rows = self._arriving = []
        fetch_one = self._cursor.fetchone
        row = None
        losses.noticed = False
        with self._driver():
            while len(rows) < batch_rows and (row := fetch_one()) is not None:
                rows.append(mark_losses(row) if losses.noticed else row)
        self._received += len(rows)
        self._arriving = []
        return rows, row is None


@contextmanager
def open_source(
    hook: MsSqlHook, time_limit_s: float | None = None, give_up: Callable[[str], None] = end_process
) -> Iterator[SourceSession]:
    """Yield a session on the server of the hook's connection; raises SourceError with a plain reason.

    All of it, the caller's work included, has to fit into the time limit, which is that of the task. `give_up` is
    called with a sentence, in another thread, when the driver is beyond help; it has to end the process.
    """
    address = SourceAddress.of(hook.connection)
    arguments = driver_arguments(hook.connection)
    with watch_source(address, time_limit_s, give_up) as watch:
        notice_losses()
        with _explaining(watch, address), watch.working(arguments["login_timeout"]):
            connection = pymssql.connect(**arguments)
        try:
            yield SourceSession(connection, address, watch)
        finally:
            with watch.working():
                connection.close()


@contextmanager
def _explaining(watch: SourceWatch, address: SourceAddress) -> Iterator[None]:
    """Turn what the driver raises into a SourceError with a plain reason."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise SourceError(watch.ended_because or explain_driver_error(error, address, watch.count_rows())) from error


def read_source_query(path: Path, named_by: str = "OPEN_ORDERS_SOURCE_SQL") -> str:
    """Return the text of the source query; raises SourceQueryError when there is none to read.

    named_by: the environment variable that can name another file.
    """
    try:
        # utf-8-sig: SQL Server Management Studio writes a byte order mark.
        statement = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceQueryError(
            f"Cannot read the source query {path} ({error}): expected a file in UTF-8; {named_by} names it"
        ) from error
    if not statement.strip():
        raise SourceQueryError(f"The source query {path} is empty: expected a SELECT with the contract's columns")
    return statement


def match_columns(found: Sequence[str], contract: Contract) -> Query:
    """Return where the contract's columns are; names match in any case, as SQL Server's do.

    Raises ContractError listing what was expected and found when a column is missing or comes twice; it guesses which
    of them were renamed.
    """
    lowered = [name.lower() for name in found]
    missing = [name for name in contract.names if name not in lowered]
    twice = sorted(name for name, times in Counter(lowered).items() if times > 1 and name in contract.names)
    if missing or twice:
        problems = [f"lacks {', '.join(missing)}"] if missing else []
        problems += [f"has {', '.join(twice)} more than once"] if twice else []
        renames = guess_renames(missing, [name for name in found if name.lower() not in contract.names])
        guesses = "".join(f". Perhaps {name} is now called {other}" for name, other in renames.items())
        raise ContractError(
            f"The source query {' and '.join(problems)}{guesses}. Expected columns: {', '.join(contract.names)}. "
            f"Found: {', '.join(name or '(unnamed)' for name in found)}"
        )
    extra = tuple(name or "(unnamed)" for name in found if name.lower() not in contract.names)
    return Query(tuple(lowered.index(name) for name in contract.names), extra)

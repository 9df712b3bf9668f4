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

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.column_names import guess_renames
from open_orders.contract import Contract
from open_orders.errors import ContractError, IncompleteFetchError, SourceError, SourceQueryError
from open_orders.landing import Batch
from open_orders.source_connection import SourceAddress
from open_orders.source_driver import Driver, DriverSession, Query, choose_driver
from open_orders.source_watch import SourceWatch, end_process, watch_source

__all__ = ["Clocks", "Query", "SourceSession", "open_source", "read_source_query"]

# So few go through driver, Arrow and COPY within the processor's cache: with ten times as many a fetch took half as
# long again. It also bounds the memory.
ROWS_AT_ONCE = 2500


@dataclass(frozen=True)
class Clocks:
    """What the SQL Server's clock said: in UTC, and in its local time. `read_at` is when, by `time.monotonic()`."""

    utc: datetime
    local: datetime
    read_at: float


class SourceSession:
    """One session on the ERP's SQL Server."""

    def __init__(self, session: DriverSession, driver: Driver, address: SourceAddress, watch: SourceWatch) -> None:
        self._session = session
        self._errors = driver.errors
        self._address = address
        self._watch = watch
        watch.count_rows = lambda: session.rows_received

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
            self._session.execute(f"SET LOCK_TIMEOUT {lock_timeout_s * 1000:d}; SET DEADLOCK_PRIORITY LOW;")

    def start(self, statement: str, contract: Contract) -> Query:
        """Run the source query and return how its columns match; raises ContractError before the first row."""
        with self._driver():
            columns = self._session.start(statement)
        self._watch.portion = self._session.portion
        if not columns:
            raise SourceQueryError("The source query returns no result: expected one SELECT with the orders")
        query = match_columns(columns, contract)
        with self._driver():
            self._session.check(query)
        return query

    def batches(self, query: Query, batch_rows: int) -> Iterator[Batch]:
        """Yield batches of rows in contract order, none of which goes beyond a multiple of `batch_rows`."""
        ended, left = False, batch_rows
        while not ended:
            with self._driver():
                batch, ended = self._session.fetch(query, min(left, ROWS_AT_ONCE))
            if not len(batch):
                break
            yield batch
            left = left - len(batch) or batch_rows
        with self._driver():
            more = self._session.has_another_result()
        if more:
            raise SourceQueryError(
                "The source query returns more than one result: expected one SELECT with the orders, at its end"
            )

    def confirm(self) -> int:
        """Return the number of rows received once the server agrees; raises IncompleteFetchError otherwise.

        A driver can end early without an error, so the same session must answer, and count the same.
        """
        received = self._session.rows_received
        try:
            counted = self._ask("SELECT @@ROWCOUNT")
        except SourceError as error:
            raise IncompleteFetchError(
                f"{received:,} rows arrived, but SQL Server did not confirm that they are all: {error}"
            ) from error.__cause__
        if not isinstance(counted, int):
            raise IncompleteFetchError(
                f"{received:,} rows arrived, but SQL Server gave no number when asked how many there are"
            )
        if counted != received:
            raise IncompleteFetchError(
                f"SQL Server counts {counted:,} rows but {received:,} arrived. The connection lost some, or the "
                "source query does more after its SELECT: the SELECT with the orders must be its last statement"
            )
        return received

    def _ask(self, statement: str) -> Any:
        """Return the first value of the statement's result; None when it has none."""
        return self._ask_row(statement, 1)[0]

    def _ask_row(self, statement: str, width: int) -> tuple[Any, ...]:
        """Return the first values of the statement's result, so many; None for each that it lacks."""
        with self._driver():
            row = self._session.ask(statement, width)
        return (*row, *[None] * (width - len(row)))

    @contextmanager
    def _driver(self) -> Iterator[None]:
        """Watch the driver at its work, and turn what it raises into a SourceError with a plain reason."""
        try:
            with self._watch.working():
                yield
        except self._errors as error:
            raise SourceError(self._watch.ended_because or self._explain(error)) from error

    def _explain(self, error: Exception) -> str:
        with self._watch.working():
            return self._session.explain(error)


@contextmanager
def open_source(
    hook: MsSqlHook, time_limit_s: float | None = None, give_up: Callable[[str], None] = end_process
) -> Iterator[SourceSession]:
    """Yield a session on the server of the hook's connection; raises SourceError with a plain reason.

    All of it, the caller's work included, has to fit into the time limit, which is that of the task. `give_up` is
    called with a sentence, in another thread, when the driver is beyond help; it has to end the process.
    """
    address = SourceAddress.of(hook.connection)
    driver = choose_driver(hook.connection)
    with watch_source(address, time_limit_s, give_up) as watch:
        try:
            with watch.working(driver.login_timeout_s):
                session = driver.open()
        except driver.errors as error:
            raise SourceError(watch.ended_because or driver.explain_login(error)) from error
        try:
            yield SourceSession(session, driver, address, watch)
        finally:
            with watch.working():
                if session.is_reading:
                    # Else the driver would take in, and the ERP send, all that is left of the result.
                    watch.hang_up()
                session.close()


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
    return Query(contract.columns, tuple(lowered.index(name) for name in contract.names), extra)

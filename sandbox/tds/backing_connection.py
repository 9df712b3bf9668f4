"""The PostgreSQL connection behind one session: statements in transactions, and errors under SQL Server's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.abc import Query

from sandbox.tds.postgres_errors import translate_error


class BackingConnection:
    """Runs a session's PostgreSQL statements; `connection` is in autocommit and belongs to it alone."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    @contextmanager
    def statement(self, in_transaction: bool, line: int = 1) -> Iterator[psycopg.Connection]:
        """Lend the connection for one statement that succeeds or leaves no trace; raises EngineError for its errors.

        Outside the client's transaction it gets one of its own. Inside, a savepoint: PostgreSQL would refuse
        everything after an error, SQL Server goes on.
        """
        try:
            self.run("SAVEPOINT statement" if in_transaction else "BEGIN")
            yield self.connection
            self.run("RELEASE SAVEPOINT statement" if in_transaction else "COMMIT")
        except psycopg.Error as error:
            self._undo(in_transaction)
            raise translate_error(error, line) from error
        except BaseException:
            # Also when the reader of a result goes away in the middle (GeneratorExit).
            self._undo(in_transaction)
            raise

    def run(self, statement: str) -> None:
        """Run a statement of our own."""
        self.connection.execute(_as_query(statement))

    def fetch(self, statement: str, line: int) -> list[tuple[str | None, ...]]:
        """Return all rows of a query whose columns are text; raises EngineError."""
        try:
            return self.connection.execute(_as_query(statement)).fetchall()
        except psycopg.Error as error:
            raise translate_error(error, line) from error

    def set_lock_timeout(self, milliseconds: int) -> None:
        """Apply SET LOCK_TIMEOUT: -1 waits for ever, 0 not at all (PostgreSQL: 0 waits for ever)."""
        self.run(f"SET lock_timeout = {0 if milliseconds < 0 else max(milliseconds, 1)}")

    def cancel(self) -> None:
        """Cancel the running statement, from another thread."""
        try:
            self.connection.cancel_safe(timeout=5)
        except psycopg.Error:
            return  # nothing to cancel any more

    def close(self) -> None:
        """Close the connection, which rolls back."""
        self.connection.close()

    def _undo(self, in_transaction: bool) -> None:
        if self.connection.closed:
            return
        undo = "ROLLBACK TO SAVEPOINT statement" if in_transaction else "ROLLBACK"
        try:
            self.run(undo)
        except psycopg.errors.QueryCanceled:
            # The cancel that ended the statement may come late and hit this one.
            self.run(undo)


def _as_query(statement: str) -> Query:
    """Return text as psycopg takes it; its type asks for a literal, and this is made from a user's T-SQL."""
    return statement.encode()

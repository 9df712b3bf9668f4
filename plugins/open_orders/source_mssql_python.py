"""Read through mssql-python, Microsoft's driver: batches of Arrow columns, which is several times faster than rows.

Not its rows: there a text that begins with a byte order mark loses it, or its bytes' order, and one with half of a
character becomes an empty one. So what Arrow can't carry exactly is refused.

Of its two native providers we use the one written in Rust: it raises wherever a connection is cut, while the ODBC one
takes a cut at a row boundary for the end (ADR 4), and it needs fewer libraries of the operating system.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from open_orders.errors import SourceQueryError
from open_orders.source_connection import MSSQL_PYTHON, PYMSSQL, SourceAddress, mssql_python_keywords, read_timeouts
from open_orders.source_driver import Query
from open_orders.source_errors import (
    CONNECT_FAILED,
    CONNECTION_LOST,
    DEADLOCK,
    GARBLED,
    HANDSHAKE_FAILED,
    LOGIN_FAILED,
    NO_DATABASE,
    TIMED_OUT,
    explain_failure,
    explain_python_error,
)

if TYPE_CHECKING:
    import mssql_python
    from airflow.sdk import Connection

    from open_orders.landing import Batch

PROVIDER = "mssql-odbc"
_PROVIDER_VARIABLE = "MSSQL_PYTHON_NATIVE_PROVIDER"
# Import name and package of what must be there.
_PACKAGES = {
    "mssql_python": "mssql-python",
    "mssql_py_core": "mssql-python-rs",
    "pyarrow": "pyarrow",
    "pgpq": "pgpq",
}
# What the driver says of an error, which stands for its SQLSTATE.
_LOGIN_REFUSED = re.compile(r"^Invalid authorization specification$")
_TIMED_OUT = re.compile(r"^Timeout expired$")
_SERIALIZATION = re.compile(r"^Serialization failure$")
_FROM_SERVER = "[SQL Server]"
_ORIGIN = re.compile(r"^(\[[^\]]*\])+")
# Messages that are not just information have another class of SQLSTATE than 01.
_INFORMATION = "[01"
_NATIVE_NUMBER = re.compile(r"\((\d+)\)$")
_NETWORK = re.compile(r"Connection (closed|reset)|Broken pipe|os error", re.IGNORECASE)
_CANNOT_CONNECT = re.compile(r"IO error: .*(refused|lookup|unreachable|No route|timed out)", re.IGNORECASE)
_NO_ENCRYPTION = re.compile(r"does not support encryption")
_CERTIFICATE = re.compile(r"certificate", re.IGNORECASE)
# OpenSSL's variable: the file with the certificates of those that a certificate may be signed by.
_AUTHORITIES = "SSL_CERT_FILE"


_BYTES_AT_ONCE = 32 * 1024 * 1024
# What a column of limited length holds at most, in bytes or characters; there is no room made for longer ones.
_LONGEST = 8000


class _ServerError(Exception):
    """An error of the server's that mssql-python keeps among its messages instead of raising it."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


@cache
def what_is_missing() -> str | None:
    """Return why mssql-python can't be used here; None when it can."""
    missing = [package for name, package in _PACKAGES.items() if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
    chosen = os.environ.get(_PROVIDER_VARIABLE, "").strip()
    if chosen and chosen.lower() != PROVIDER:
        return f"{_PROVIDER_VARIABLE} is {chosen!r}; unset it, since only {PROVIDER!r} is known to lose no rows"
    try:
        import mssql_python

        # mypy takes the module's property for an attribute that is not there.
        mssql_python.native_provider = PROVIDER  # type: ignore[attr-defined]
        library = mssql_python.get_native_provider_info()["driver_path"]
        ctypes.CDLL(str(library))
    except (ImportError, OSError) as error:
        return f"a library of the operating system is missing ({error})"
    return None


class MssqlPythonDriver:
    """Connects through mssql-python; call `what_is_missing` first."""

    kind = MSSQL_PYTHON

    def __init__(self, connection: Connection, address: SourceAddress) -> None:
        import mssql_python

        self.name = f"{MSSQL_PYTHON} {mssql_python.__version__}"
        self.errors: tuple[type[Exception], ...] = (
            mssql_python.Error, mssql_python.Warning, _ServerError, RuntimeError, ValueError, TypeError,
            ArithmeticError, SystemError, MemoryError,
        )  # fmt: skip
        self._address = address
        self._keywords = mssql_python_keywords(connection)
        timeouts = read_timeouts(connection)
        self.login_timeout_s = timeouts["login_timeout"]
        self._timeout_s = timeouts["timeout"]

    def open(self) -> MssqlPythonSession:
        """Connect and log in."""
        import mssql_python

        # A pool would keep the connection open in the ERP.
        mssql_python.pooling(enabled=False)
        # Without autocommit a read would hold a transaction open in the ERP.
        arguments: dict[str, Any] = {**self._keywords, "autocommit": True, "timeout": self.login_timeout_s}
        checks = self._keywords["trustservercertificate"] == "no"
        with nullcontext() if checks else _without_authorities():
            connection = mssql_python.connect(**arguments)
        connection.timeout = self._timeout_s
        return MssqlPythonSession(connection, self._address)

    def explain_login(self, error: Exception) -> str:
        """Return one sentence: why there is no connection, and what to do."""
        state, text, from_server = _read(error)
        if state is None:
            return explain_python_error(error, self._address, 0)
        if _NO_ENCRYPTION.search(text):
            return (
                f"SQL Server {self._address} offers no encryption; set the connection's extra encryption to off to do "
                f"without it ({text})"
            )
        if _CERTIFICATE.search(text):
            return (
                f"The certificate of SQL Server {self._address} is not trusted; have its authority known to the "
                "operating system, or set the connection's extra trust_server_certificate to true to trust any "
                f"({text})"
            )
        number = HANDSHAKE_FAILED
        if from_server:
            number = LOGIN_FAILED if _LOGIN_REFUSED.match(state) else NO_DATABASE
        elif _TIMED_OUT.match(state):
            number = TIMED_OUT
        elif _CANNOT_CONNECT.search(text):
            number = CONNECT_FAILED
        return explain_failure(number, text, self._address, 0)


class MssqlPythonSession:
    """One connection of mssql-python's, and its cursor."""

    def __init__(self, connection: mssql_python.Connection, address: SourceAddress) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._address = address
        self._columns: list[tuple[Any, ...]] = []
        self._rows_at_once = 1
        self.rows_received = 0
        self.portion = "a batch of rows"
        self.is_reading = False

    def ask(self, statement: str, width: int) -> tuple[Any, ...]:
        """Return the first values of the statement's first row, at most so many; empty when it has none."""
        self._execute(statement)
        row = self._cursor.fetchone() if self._cursor.description else None
        self.is_reading = False
        return tuple(row or ())[:width]

    def execute(self, statement: str) -> None:
        """Run a statement without result."""
        self._execute(statement)
        self.is_reading = False

    def start(self, statement: str) -> Sequence[str]:
        """Run a query and return the names of its first result's columns; none when it has no result."""
        self.rows_received = 0
        self._execute(statement)
        self._columns = self._cursor.description or []
        # The driver makes room for so many rows at their full width.
        self._rows_at_once = max(1, _BYTES_AT_ONCE // (1 + sum(map(_width, self._columns))))
        return [column[0] for column in self._columns]

    def check(self, query: Query) -> None:
        """Raise SourceQueryError for a column of the contract that Arrow can't carry exactly."""
        schema = self._cursor.arrow_batch(0).schema
        offset = [
            name
            for name, position in zip(query.names, query.positions, strict=True)
            if getattr(schema.field(position).type, "tz", None) is not None
        ]
        if offset:
            raise SourceQueryError(
                f"The source query returns {', '.join(offset)} as datetimeoffset, whose offset the driver "
                f"{MSSQL_PYTHON} loses: cast it there, to datetime2 or nvarchar, or set the connection's extra driver "
                f"to {PYMSSQL}"
            )

    def fetch(self, query: Query, rows: int) -> tuple[Batch, bool]:
        """Return the next rows, at most so many, and whether they were the last."""
        from open_orders.landing_arrow import ArrowBatch

        found = self._cursor.arrow_batch(min(rows, self._rows_at_once))
        self._raise_messages()
        self.rows_received += found.num_rows
        kinds = [column[1] for column in self._columns]
        return ArrowBatch(query.columns, found, query.positions, kinds), found.num_rows == 0

    def has_another_result(self) -> bool:
        """Go to the end of the answer, or to its next result with columns."""
        while self._cursor.nextset():
            self._raise_messages()
            if self._cursor.description:
                return True
        self._raise_messages()
        self.is_reading = False
        return False

    def explain(self, error: Exception) -> str:
        """Return one sentence: what SQL Server or the way to it did, and what to do."""
        if isinstance(error, _ServerError):
            return explain_failure(error.number, str(error), self._address, self.rows_received)
        state, text, from_server = _read(error)
        if state is None:
            return explain_python_error(error, self._address, self.rows_received)
        if from_server:
            number = self._ask_number() or (DEADLOCK if _SERIALIZATION.match(state) else 0)
        elif _TIMED_OUT.match(state):
            number = TIMED_OUT
        else:
            number = CONNECTION_LOST if _NETWORK.search(text) else GARBLED
        return explain_failure(number, text, self._address, self.rows_received)

    def close(self) -> None:
        """Close the connection."""
        import mssql_python

        try:
            self._connection.close()
        except (mssql_python.Error, RuntimeError):
            # It is broken, and what broke it has been told.
            return

    def _execute(self, statement: str) -> None:
        """Run a batch and go to its first result with columns, past row counts and messages."""
        self._cursor.execute(statement)
        self.is_reading = True
        self._raise_messages()
        while not self._cursor.description and self._cursor.nextset():
            self._raise_messages()

    def _raise_messages(self) -> None:
        """Raise what the driver took for a message although it is an error."""
        for state, text in self._cursor.messages:
            if not state.startswith(_INFORMATION):
                number = _NATIVE_NUMBER.search(state)
                raise _ServerError(int(number[1]) if number else 0, _ORIGIN.sub("", text))

    def _ask_number(self) -> int:
        """Return the number of the session's last error, which the driver doesn't tell; 0 when nobody knows it."""
        import mssql_python

        try:
            [number] = self.ask("SELECT @@ERROR", 1)
        except (mssql_python.Error, _ServerError, RuntimeError, ValueError):
            return 0
        return number if isinstance(number, int) else 0


@contextmanager
def _without_authorities() -> Iterator[None]:
    """Keep the driver from reading the certificates of all authorities, with which it is not going to check anything.

    They take it 40 ms of processor time in each process. What it checks other connections with it keeps apart.
    """
    known = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    try:
        yield
    finally:
        if known is None:
            del os.environ[_AUTHORITIES]
        else:
            os.environ[_AUTHORITIES] = known


def _width(column: tuple[Any, ...]) -> int:
    """Return how many bytes the driver makes room for in each row of a described column."""
    size = column[3] or 0
    return 40 + (4 * size if 0 < size <= _LONGEST else 0)


def _read(error: Exception) -> tuple[str | None, str, bool]:
    """Return the driver's word for an error's SQLSTATE, its text on one line, and whether it is the server's own.

    The first is None for an error that is not the driver's but Python's.
    """
    state = getattr(error, "driver_error", None)
    text = str(getattr(error, "ddbc_error", error))
    return state, " ".join(_ORIGIN.sub("", text).split()), _FROM_SERVER in text

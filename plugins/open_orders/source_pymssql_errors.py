"""Which of SQL Server's or DB-Library's errors an error of pymssql's is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pymssql
from pymssql import _mssql

from open_orders.source_errors import (
    CONNECT_FAILURES,
    CONNECTION_LOST,
    CONVERSIONS,
    CUT_CHARACTER,
    GARBLED,
    HANDSHAKE_FAILED,
    HANDSHAKE_FAILURES,
    LOGIN_FAILED,
    TIMED_OUT,
    explain_failure,
    explain_python_error,
)

if TYPE_CHECKING:
    from open_orders.source_connection import SourceAddress

# "General SQL Server error: Check messages from the SQL Server"
_SERVER_SENT_AN_ERROR = 20018
# A text that ends in half of a character ends the connection in a column of type nvarchar(max): CUT_CHARACTER.
_MOST_TELLING_FIRST = (*CONNECT_FAILURES, TIMED_OUT, *HANDSHAKE_FAILURES, CUT_CHARACTER, GARBLED)
_LIBRARY_MESSAGE = re.compile(r"DB-Lib error message (\d+), severity \d+:\n")
# What pymssql says in its own words, and the number that says the same.
_OWN_WORDS = {
    "Not connected to any MS SQL server": CONNECTION_LOST,
    "Could not set connection properties": HANDSHAKE_FAILED,
    "Connection to the database failed for an unknown reason.": HANDSHAKE_FAILED,
    "Unknown error": GARBLED,
}
# pymssql lets some of its lower level's errors through, and Python's where it makes values of what it received.
DRIVER_ERRORS = (pymssql.Error, _mssql.MSSQLException, ValueError, ArithmeticError, SystemError, MemoryError)


def explain_driver_error(error: Exception, address: SourceAddress, rows_received: int) -> str:
    """Return one sentence: what SQL Server or the way to it did, after how many rows, and what to do."""
    if not isinstance(error, pymssql.Error | _mssql.MSSQLException):
        return explain_python_error(error, address, rows_received)
    return explain_failure(*_number_and_message(error), address, rows_received)


def _number_and_message(error: Exception) -> tuple[int, str]:
    """Return the number that says most (0 for none) and the text that goes with it, without DB-Library's frame.

    pymssql's own number can't be trusted when the server said nothing: it repeats the last one that some server sent
    to this process, and the text may begin with messages of an earlier connection. Then the most telling one counts.
    """
    arguments = error.args[0] if len(error.args) == 1 and isinstance(error.args[0], tuple) else error.args
    raw = arguments[-1] if arguments else ""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    if text in _OWN_WORDS:
        return _OWN_WORDS[text], text
    said, *library = _LIBRARY_MESSAGE.split(text)
    messages = {int(number): message.strip() for number, message in zip(library[::2], library[1::2], strict=True)}
    if not said.strip() and _SERVER_SENT_AN_ERROR in messages and not HANDSHAKE_FAILURES.isdisjoint(messages):
        return LOGIN_FAILED, "the server said no more"
    if said.strip() or _SERVER_SENT_AN_ERROR in messages or not messages:
        number = arguments[0] if arguments and isinstance(arguments[0], int) else 0
        return number, " ".join((said.strip() or "the server gave no text").split())
    ordered = (*_MOST_TELLING_FIRST, *(number for number in messages if number not in CONVERSIONS), *messages)
    number = next(number for number in ordered if number in messages)
    return number, " ".join(messages[number].split())

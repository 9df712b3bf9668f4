"""What pymssql's errors mean, in the words of the job log.

Numbers below 20000 are SQL Server's own (sys.messages), those above are FreeTDS's DB-Library ones (sybdb.h).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pymssql
from pymssql import _mssql

if TYPE_CHECKING:
    from open_orders.source_connection import SourceAddress

_LOGIN_REFUSED = {18456, 18452, 18470, 18486, 18487, 18488}
_NO_DATABASE = {4060, 911}
_NO_RIGHT = {229, 230, 262, 297, 300, 916}
_BAD_STATEMENT = {102, 105, 137, 156, 207, 208, 241, 245, 248, 8114, 8115, 8134, 8155, 8156}
_CONNECT_FAILED = {20009, 20013}
_HANDSHAKE_FAILED = {20002, 20014}
_TIMED_OUT = {20003}
# "General SQL Server error: Check messages from the SQL Server"
_SERVER_SENT_AN_ERROR = 20018
_GARBLED = {20020}
# Characters of some text were lost; what else is said says more.
_CONVERSION = {2400, 2403}
# A text that ends in half of a character, which ends the connection in a column of type nvarchar(max).
_CUT_CHARACTER = {2401}
_MOST_TELLING_FIRST = (*_CONNECT_FAILED, *_TIMED_OUT, *_HANDSHAKE_FAILED, *_CUT_CHARACTER, *_GARBLED)
_LIBRARY_MESSAGE = re.compile(r"DB-Lib error message (\d+), severity \d+:\n")
_CONNECTION_LOST = {20004, 20006, 20017, 20019, 20047}
# What pymssql says in its own words, and the number that says the same.
_OWN_WORDS = {
    "Not connected to any MS SQL server": 20047,
    "Could not set connection properties": 20002,
    "Connection to the database failed for an unknown reason.": 20002,
    "Unknown error": 20020,
}
# pymssql lets some of its lower level's errors through, and Python's where it makes values of what it received.
DRIVER_ERRORS = (pymssql.Error, _mssql.MSSQLException, ValueError, ArithmeticError, SystemError, MemoryError)


def explain_driver_error(error: Exception, address: SourceAddress, rows_received: int) -> str:
    """Return one sentence: what SQL Server or the way to it did, after how many rows, and what to do."""
    after = f" after {rows_received:,} rows" if rows_received else ""
    if not isinstance(error, pymssql.Error | _mssql.MSSQLException):
        what = str(error) or type(error).__name__
        return f"SQL Server {address} sent something that the driver can't read{after} ({what})"
    number, message = _number_and_message(error)
    if number in _LOGIN_REFUSED:
        return f"SQL Server {address} refused the login {address.login!r}; check the connection erp_mssql ({message})"
    if number in _NO_DATABASE:
        return f"SQL Server {address} has no database {address.database!r} for this login ({message})"
    if number in _NO_RIGHT:
        return f"The login {address.login!r} lacks a right in the ERP: {message}"
    if number == 1222:
        return f"The source query waited too long for a lock in the ERP{after} ({message})"
    if number == 1205:
        return f"The ERP's own work won a deadlock against the source query{after} ({message})"
    if number in _BAD_STATEMENT:
        return f"SQL Server refused the source query{after}: {message} (error {number})"
    if number in _CONNECT_FAILED:
        return f"SQL Server {address} can't be reached; check host, port and network ({message})"
    if number in _TIMED_OUT:
        return f"SQL Server stopped answering{after}: nothing came within the connection's timeout"
    if number in _CUT_CHARACTER:
        return (
            f"The driver can't read row {rows_received + 1:,}: a text of it ends in half of a character. Cast its "
            "column to nvarchar(4000) in the source query; then only this row is rejected"
        )
    if number in _GARBLED | _CONVERSION:
        return f"What SQL Server {address} sent{after} makes no sense; check TDS version and network ({message})"
    if number in _CONNECTION_LOST:
        return f"SQL Server closed the connection{after}"
    if number in _HANDSHAKE_FAILED:
        return (
            f"SQL Server {address} ended the connection while logging in; check encryption and TDS version, and "
            f"whether it is a SQL Server that answers there ({message})"
        )
    return f"SQL Server reported error {number}{after}: {message}" if number else f"SQL Server{after}: {message}"


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
    if not said.strip() and _SERVER_SENT_AN_ERROR in messages and not _HANDSHAKE_FAILED.isdisjoint(messages):
        return 18456, "the server said no more"
    if said.strip() or _SERVER_SENT_AN_ERROR in messages or not messages:
        number = arguments[0] if arguments and isinstance(arguments[0], int) else 0
        return number, " ".join((said.strip() or "the server gave no text").split())
    ordered = (*_MOST_TELLING_FIRST, *(number for number in messages if number not in _CONVERSION), *messages)
    number = next(number for number in ordered if number in messages)
    return number, " ".join(messages[number].split())

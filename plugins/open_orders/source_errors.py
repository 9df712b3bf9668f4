"""What went wrong with SQL Server or on the way to it, in the words of the job log, whatever the driver.

Numbers below 20000 are SQL Server's own (sys.messages), those above are FreeTDS's DB-Library ones (sybdb.h), which
stand for the same failures of another driver too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from open_orders.source_connection import SourceAddress

LOGIN_FAILED = 18456
NO_DATABASE = 4060
LOCK_TIMEOUT = 1222
DEADLOCK = 1205
CONNECT_FAILED = 20009
HANDSHAKE_FAILED = 20002
TIMED_OUT = 20003
GARBLED = 20020
CONNECTION_LOST = 20047
CUT_CHARACTER = 2401

_LOGIN_REFUSED = {LOGIN_FAILED, 18452, 18470, 18486, 18487, 18488}
_NO_DATABASE = {NO_DATABASE, 911}
_NO_RIGHT = {229, 230, 262, 297, 300, 916}
_BAD_STATEMENT = {102, 105, 137, 156, 207, 208, 241, 245, 248, 8114, 8115, 8134, 8155, 8156}
CONNECT_FAILURES = {CONNECT_FAILED, 20013}
HANDSHAKE_FAILURES = {HANDSHAKE_FAILED, 20014}
# Characters of some text were lost; what else is said says more.
CONVERSIONS = {2400, 2403}
_LOST = {20004, 20006, 20017, 20019, CONNECTION_LOST}


def explain_failure(number: int, message: str, address: SourceAddress, rows_received: int) -> str:
    """Return one sentence: what SQL Server or the way to it did, after how many rows, and what to do."""
    after = after_rows(rows_received)
    if number in _LOGIN_REFUSED:
        return f"SQL Server {address} refused the login {address.login!r}; check the connection erp_mssql ({message})"
    if number in _NO_DATABASE:
        return f"SQL Server {address} has no database {address.database!r} for this login ({message})"
    if number in _NO_RIGHT:
        return f"The login {address.login!r} lacks a right in the ERP: {message}"
    if number == LOCK_TIMEOUT:
        return f"The source query waited too long for a lock in the ERP{after} ({message})"
    if number == DEADLOCK:
        return f"The ERP's own work won a deadlock against the source query{after} ({message})"
    if number in _BAD_STATEMENT:
        return f"SQL Server refused the source query{after}: {message} (error {number})"
    if number in CONNECT_FAILURES:
        return f"SQL Server {address} can't be reached; check host, port and network ({message})"
    if number == TIMED_OUT:
        return f"SQL Server stopped answering{after}, or took longer to answer than the connection's timeout allows"
    if number == CUT_CHARACTER:
        return (
            f"The driver can't read row {rows_received + 1:,}: a text of it ends in half of a character. Cast its "
            "column to nvarchar(4000) in the source query; then only this row is rejected"
        )
    if number == GARBLED or number in CONVERSIONS:
        return f"What SQL Server {address} sent{after} makes no sense; check TDS version and network ({message})"
    if number in _LOST:
        return f"SQL Server closed the connection{after}"
    if number in HANDSHAKE_FAILURES:
        return (
            f"SQL Server {address} ended the connection while logging in; check encryption and TDS version, and "
            f"whether it is a SQL Server that answers there ({message})"
        )
    return f"SQL Server reported error {number}{after}: {message}" if number else f"SQL Server{after}: {message}"


def explain_python_error(error: Exception, address: SourceAddress, rows_received: int) -> str:
    """Return the sentence for an error that is Python's own: what came can't be made a value."""
    what = str(error) or type(error).__name__
    return f"SQL Server {address} sent something that the driver can't read{after_rows(rows_received)} ({what})"


def after_rows(rows_received: int) -> str:
    """Return when it was, for the end of a sentence."""
    return f" after {rows_received:,} rows" if rows_received else ""

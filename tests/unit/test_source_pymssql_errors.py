from __future__ import annotations

import pymssql
import pytest
from pymssql import _mssql

from open_orders.source_connection import SourceAddress
from open_orders.source_pymssql_errors import DRIVER_ERRORS, explain_driver_error

ADDRESS = SourceAddress("erp.example", 1433, "ERP", "reader")
EOF = b"DB-Lib error message 20017, severity 9:\nUnexpected EOF from the server\n"
DEAD = b"DB-Lib error message 20047, severity 9:\nDBPROCESS is dead or not enabled\n"
TIMEOUT = b"DB-Lib error message 20003, severity 6:\nTDS server connection timed out\n"
REFUSED = (
    b"DB-Lib error message 20009, severity 9:\nUnable to connect: TDS server is unavailable or does not exist (erp)\n"
    b"Net-Lib error during Connection refused (111)\n"
)
FAILED = b"DB-Lib error message 20002, severity 9:\nTDS server connection failed (erp)\n"
GARBLED = b"DB-Lib error message 20020, severity 9:\nBad token from the server: Datastream processing out of sync\n"
REPLACED = b"DB-Lib error message 2403, severity 4:\nSome character(s) could not be converted\n"
CUT = b"DB-Lib error message 2401, severity 4:\nCharacter set conversion is not available\n"
GENERAL = b"DB-Lib error message 20018, severity 14:\nGeneral SQL Server error: Check messages from the SQL Server\n"


@pytest.mark.parametrize(
    ("number", "message", "says"),
    [
        (18456, b"Login failed for user 'reader'." + GENERAL + FAILED, "refused the login 'reader'; check the conn"),
        (50000, GENERAL + GENERAL + FAILED, "refused the login 'reader'; check the connection erp_mssql"),
        (18456, REFUSED + REFUSED, "SQL Server erp.example:1433/ERP can't be reached"),
        (20047, DEAD + DEAD + REFUSED, "SQL Server erp.example:1433/ERP can't be reached"),
        (18456, TIMEOUT + FAILED, "stopped answering"),
        (18456, FAILED + FAILED, "ended the connection while logging in; check encryption"),
        (20047, TIMEOUT + DEAD, "SQL Server stopped answering after 4,200 rows"),
        (20017, EOF, "SQL Server closed the connection after 4,200 rows"),
        (20047, DEAD, "SQL Server closed the connection after 4,200 rows"),
        (
            20020,
            GARBLED + EOF,
            "What SQL Server erp.example:1433/ERP sent after 4,200 rows makes no sense; check TDS ver",
        ),
        (20047, REPLACED + DEAD, "SQL Server closed the connection after 4,200 rows"),
        (2403, REPLACED, "What SQL Server erp.example:1433/ERP sent after 4,200 rows makes no sense"),
        (
            20047,
            CUT + DEAD,
            "The driver can't read row 4,201: a text of it ends in half of a character. Cast its column",
        ),
        (0, b"Unknown error", "What SQL Server erp.example:1433/ERP sent after 4,200 rows makes no sense"),
        (4060, b"Cannot open database." + GENERAL, "has no database 'ERP' for this login"),
        (1222, b"Lock request time out period exceeded." + GENERAL, "waited too long for a lock"),
        (1205, b"Transaction was deadlocked." + GENERAL, "won a deadlock"),
        (208, b"Invalid object name 'dbo.X'." + GENERAL, "refused the source query after 4,200 rows: Invalid object"),
        (
            229,
            b"The SELECT permission was denied." + GENERAL,
            "'reader' lacks a right in the ERP: The SELECT permission",
        ),
        (50000, b"Anything\nelse" + GENERAL, "reported error 50000 after 4,200 rows: Anything else"),
    ],
)
def test_driver_error_is_told_in_plain_words(number: int, message: bytes, says: str) -> None:
    for error in (pymssql.OperationalError(number, message), pymssql.OperationalError((number, message))):
        assert says in explain_driver_error(error, ADDRESS, 4200)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (pymssql.InterfaceError("Not connected to any MS SQL server"), "SQL Server closed the connection"),
        (pymssql.InterfaceError("Could not set connection properties"), "ended the connection while logging in"),
        (_mssql.MSSQLDatabaseException((20017, EOF)), "SQL Server closed the connection"),
        (
            ValueError("year 45935 is out of range"),
            "sent something that the driver can't read (year 45935 is out of ra",
        ),
        (MemoryError(), "sent something that the driver can't read (MemoryError)"),
    ],
)
def test_what_the_driver_lets_through_is_told_too(error: Exception, says: str) -> None:
    assert isinstance(error, DRIVER_ERRORS)
    assert says in explain_driver_error(error, ADDRESS, 0)


def test_error_without_number_is_told_too() -> None:
    assert "Connection is closed" in explain_driver_error(pymssql.InterfaceError("Connection is closed."), ADDRESS, 0)

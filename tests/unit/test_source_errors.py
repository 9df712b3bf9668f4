from __future__ import annotations

import pymssql
import pytest

from open_orders.source_connection import SourceAddress
from open_orders.source_errors import explain_driver_error

ADDRESS = SourceAddress("erp.example", 1433, "ERP", "reader")
EOF = b"DB-Lib error message 20017, severity 9:\nUnexpected EOF from the server\n"
DEAD = b"DB-Lib error message 20047, severity 9:\nDBPROCESS is dead or not enabled\n"
TIMEOUT = b"DB-Lib error message 20003, severity 6:\nTDS server connection timed out\n"
REFUSED = (
    b"DB-Lib error message 20009, severity 9:\nUnable to connect: TDS server is unavailable or does not exist (erp)\n"
    b"Net-Lib error during Connection refused (111)\n"
)
FAILED = b"DB-Lib error message 20002, severity 9:\nTDS server connection failed (erp)\n"
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


def test_error_without_number_is_told_too() -> None:
    assert "Connection is closed" in explain_driver_error(pymssql.InterfaceError("Connection is closed."), ADDRESS, 0)

"""How the sample ERP's own programs connect to its database."""

from datetime import datetime

import pymssql

from sandbox.connections import Connection

LOGIN_TIMEOUT_S = 5
QUERY_TIMEOUT_S = 120


def connect(erp: Connection) -> pymssql.Connection:
    """Return an open connection in which a transaction runs until commit; raises pymssql.Error."""
    return pymssql.connect(
        server=erp.host,
        port=str(erp.port),
        user=erp.login,
        password=erp.password,
        database=erp.database,
        login_timeout=LOGIN_TIMEOUT_S,
        timeout=QUERY_TIMEOUT_S,
        tds_version="7.4",
        appname="sample ERP",
        charset="UTF-8",
    )


def read_local_time(connection: pymssql.Connection) -> datetime:
    """Return the time that it is for the ERP, by its server's clock and zone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT GETDATE()")
        now: datetime = cursor.fetchone()[0]
    return now


def read_message(error: pymssql.Error) -> str:
    """Return the first line of what the server or FreeTDS said; pymssql gives bytes after the number."""
    text = error.args[-1] if error.args else ""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return str(text).strip().splitlines()[0] if str(text).strip() else type(error).__name__

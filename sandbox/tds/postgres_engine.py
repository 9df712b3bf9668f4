"""An engine that runs a user's T-SQL on a PostgreSQL database."""

from __future__ import annotations

import threading
from importlib import resources

import psycopg

from sandbox.tds.backing_connection import BackingConnection
from sandbox.tds.collations import TURKISH, Collation
from sandbox.tds.engine import UnknownDatabaseError, make_error
from sandbox.tds.postgres_session import PostgresSession

_INSTALL_LOCK = 0x7D5
_SETTINGS = {
    "search_path": "dbo, tsql, pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "jit": "off",
    # A cursor's plan is otherwise made for its first tenth.
    "cursor_tuple_fraction": "1",
    "application_name": "stand-in SQL Server",
}


class PostgresEngine:
    """Sessions on the PostgreSQL database that `dsn` names, shown as the SQL Server database `database`.

    `collation` is that of non-Unicode columns. The first session installs the schemas dbo, tsql and sys.
    """

    def __init__(self, dsn: str, database: str = "ERP", collation: Collation = TURKISH) -> None:
        self.database = database
        self.collation = collation
        self._dsn = dsn
        self._installed = False
        self._lock = threading.Lock()

    def has_database(self, name: str) -> bool:
        """Whether sessions may use this database."""
        return name.casefold() in {self.database.casefold(), "master"}

    def connect(self, database: str) -> PostgresSession:
        """Return a session; raises UnknownDatabaseError, and EngineError when PostgreSQL does not answer."""
        if not self.has_database(database):
            raise UnknownDatabaseError(database)
        settings = {**_SETTINGS, "tsql.database": self.database}
        escaped = {name: value.replace("\\", r"\\").replace(" ", r"\ ") for name, value in settings.items()}
        options = " ".join(f"-c {name}={value}" for name, value in escaped.items())
        try:
            connection = psycopg.connect(self._dsn, autocommit=True, options=options)
            with self._lock:
                if not self._installed:
                    _install_functions(connection)
                    self._installed = True
        except psycopg.Error as error:
            raise make_error(50000, f"The PostgreSQL behind the stand-in does not answer: {error}") from error
        return PostgresSession(BackingConnection(connection), self.database, self.has_database, self.collation)


def _install_functions(connection: psycopg.Connection) -> None:
    script = resources.files("sandbox.tds").joinpath("tsql_functions.sql").read_bytes()
    with connection.transaction():
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_INSTALL_LOCK,))
        connection.execute(script)

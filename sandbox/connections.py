"""Airflow connections given as environment variables (AIRFLOW_CONN_…), without importing Airflow."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from psycopg.conninfo import make_conninfo

# The extras that are libpq's own parameters; the others are Airflow's business.
LIBPQ_EXTRAS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "options", "application_name")


class ConnectionFormatError(Exception):
    """The variable is neither a connection URI nor JSON; the message names the variable, not its value."""


@dataclass(frozen=True)
class Connection:
    """Where a database is and who logs in.

    `repr` hides the password, `str` is what may be printed: host, port and database.
    """

    scheme: str
    host: str
    port: int
    login: str
    password: str = field(repr=False)
    database: str
    extras: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"

    def to_uri(self) -> str:
        """Return the connection as Airflow's URI."""
        login = f"{quote(self.login, safe='')}:{quote(self.password, safe='')}"
        query = f"?{urlencode(self.extras)}" if self.extras else ""
        return f"{self.scheme}://{login}@{self.host}:{self.port}/{quote(self.database, safe='')}{query}"

    def to_conninfo(self, *, with_password: bool = True) -> str:
        """Return the connection as libpq's conninfo string, for psycopg and psql."""
        extras = {name: str(self.extras[name]) for name in LIBPQ_EXTRAS if name in self.extras}
        return make_conninfo(
            host=self.host,
            port=self.port,
            user=self.login,
            password=self.password if with_password else None,
            dbname=self.database,
            **extras,
        )


def parse_connection(variable: str, value: str, default_port: int) -> Connection:
    """Return the connection that an AIRFLOW_CONN_… variable holds.

    Both of Airflow's formats are read: a URI with percent-encoded parts, and a JSON object
    (https://airflow.apache.org/docs/apache-airflow/stable/howto/connection.html).
    Raises ConnectionFormatError for anything else.
    """
    if value.lstrip().startswith("{"):
        return _parse_json(variable, value, default_port)
    try:
        parts = urlsplit(value)
        port = parts.port or default_port
    except ValueError as error:
        raise ConnectionFormatError(f"{variable} is not a valid connection URI: {error}.") from error
    if not parts.scheme or not parts.hostname:
        raise ConnectionFormatError(
            f"{variable} is not a connection: expected scheme://user:password@host:port/database or JSON."
        )
    query = dict(parse_qsl(parts.query))
    nested = query.pop("__extra__", None)
    return Connection(
        scheme=parts.scheme,
        host=unquote(parts.hostname),
        port=port,
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.removeprefix("/")),
        extras=query | (json.loads(nested) if nested else {}),
    )


def _parse_json(variable: str, value: str, default_port: int) -> Connection:
    try:
        document = json.loads(value)
        extra = document.get("extra") or {}
        return Connection(
            scheme=document["conn_type"],
            host=document["host"],
            port=int(document.get("port") or default_port),
            login=document.get("login") or "",
            password=document.get("password") or "",
            database=document.get("schema") or "",
            extras=json.loads(extra) if isinstance(extra, str) else extra,
        )
    except (ValueError, KeyError) as error:
        raise ConnectionFormatError(
            f'{variable} is not a connection: expected JSON with "conn_type", "host", "login", "password" '
            f'and "schema"; found a problem with {error}.'
        ) from error

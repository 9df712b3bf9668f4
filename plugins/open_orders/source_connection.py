"""The Airflow connection `erp_mssql` as arguments of a driver: extras are read by key, never spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from open_orders.errors import ConnectionSettingsError
from open_orders.masking import hide_secrets

if TYPE_CHECKING:
    from airflow.sdk import Connection

DEFAULT_PORT = 1433
APPLICATION_NAME = "open-orders-sync"
# Without a version FreeTDS tries several, and login_timeout counts for each of them.
TDS_VERSION = "7.4"
LOGIN_TIMEOUT_S = 10
# Below the fetch task's own limit, so that a stalled source is reported as one.
QUERY_TIMEOUT_S = 50

MSSQL_PYTHON, PYMSSQL = "mssql-python", "pymssql"

_CHOICES = {
    "driver": (MSSQL_PYTHON, PYMSSQL),
    "encryption": ("default", "off", "request", "require"),
    "tds_version": ("7.0", "7.1", "7.2", "7.3", "7.4"),
}
_OF_BOTH = {"driver", "encryption", "login_timeout", "timeout", "read_only", "sqlalchemy_scheme"}
_OF_ONE = {PYMSSQL: {"appname", "charset", "tds_version"}, MSSQL_PYTHON: {"trust_server_certificate"}}
EXTRAS = _OF_BOTH.union(*_OF_ONE.values())
# As ODBC has it; without the extra, or with "default", the connection is encrypted and the certificate checked.
_ENCRYPT = {"default": "yes", "off": "no", "request": "optional", "require": "yes"}
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


@dataclass(frozen=True)
class SourceAddress:
    """Which database on which server, as the job log names it."""

    host: str
    port: int
    database: str
    login: str

    @classmethod
    def of(cls, connection: Connection) -> SourceAddress:
        """Return the address of an Airflow connection; raises ConnectionSettingsError when it names no host."""
        if not connection.host:
            raise ConnectionSettingsError(f"The connection {connection.conn_id} has no host: set the SQL Server's name")
        return cls(connection.host, connection.port or DEFAULT_PORT, connection.schema or "", connection.login or "")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def read_driver(connection: Connection) -> str | None:
    """Return the driver that the connection asks for, None when it leaves the choice to us."""
    extras = connection.extra_dejson
    return _read_choice("driver", extras["driver"]) if extras.get("driver") else None


def pymssql_arguments(connection: Connection) -> dict[str, Any]:
    """Return what `pymssql.connect` is called with.

    Extras: encryption (off, request, require), tds_version, login_timeout and timeout (seconds), read_only (true for a
    readable secondary), appname, charset. Raises ConnectionSettingsError for a value that isn't one.
    """
    address = _read_address(connection)
    extras = connection.extra_dejson
    arguments: dict[str, Any] = {
        "server": address.host,
        "port": str(address.port),
        "user": connection.login,
        "password": connection.password,
        "database": address.database,
        "appname": APPLICATION_NAME,
        "tds_version": TDS_VERSION,
        **read_timeouts(connection),
        # A read must not hold a transaction open in the ERP.
        "autocommit": True,
    }
    arguments |= {key: str(extras[key]) for key in ("appname", "charset") if extras.get(key)}
    arguments |= {key: _read_choice(key, extras[key]) for key in ("encryption", "tds_version") if extras.get(key)}
    arguments |= {"read_only": _read_switch("read_only", extras["read_only"])} if "read_only" in extras else {}
    return arguments


def mssql_python_keywords(connection: Connection) -> dict[str, str]:
    """Return the keywords of mssql-python's connection string.

    Extras: encryption as above, trust_server_certificate (true or false), read_only. Raises ConnectionSettingsError for
    a value that isn't one. The name that the server is told is the driver's own: it lets nobody change it.
    """
    address = _read_address(connection)
    extras = connection.extra_dejson
    # The port of a named instance is known to the server's browser service.
    named = "\\" in address.host and not connection.port
    trusts = _read_switch("trust_server_certificate", extras.get("trust_server_certificate", "false"))
    keywords = {
        "server": address.host if named else f"{address.host},{address.port}",
        "database": address.database,
        "uid": connection.login or "",
        "pwd": connection.password or "",
        "encrypt": _ENCRYPT[_read_choice("encryption", extras.get("encryption") or "default")],
        "trustservercertificate": "yes" if trusts else "no",
        # A session that the driver mends behind our back is another one: it can't confirm what came before.
        "connectretrycount": "0",
    }
    if _read_switch("read_only", extras.get("read_only", "false")):
        keywords["applicationintent"] = "ReadOnly"
    return keywords


def read_timeouts(connection: Connection) -> dict[str, int]:
    """Return login_timeout and timeout in seconds; raises ConnectionSettingsError."""
    usual = {"login_timeout": LOGIN_TIMEOUT_S, "timeout": QUERY_TIMEOUT_S}
    extras = connection.extra_dejson
    return {key: _read_seconds(key, extras[key]) if key in extras else seconds for key, seconds in usual.items()}


def ignored_extras(connection: Connection, driver: str) -> list[str]:
    """Return the names of extras that have no effect on this driver, so that a misspelt one is noticed."""
    return sorted(set(connection.extra_dejson) - _OF_BOTH - _OF_ONE[driver])


def _read_address(connection: Connection) -> SourceAddress:
    address = SourceAddress.of(connection)
    # What the driver is told, its errors may repeat.
    hide_secrets(connection)
    return address


def _read_choice(key: str, value: Any) -> str:
    if str(value) not in _CHOICES[key]:
        raise ConnectionSettingsError(
            f"Extra {key}={value!r} of the SQL Server connection: expected one of {', '.join(_CHOICES[key])}"
        )
    return str(value)


def _read_seconds(key: str, value: Any) -> int:
    try:
        seconds = int(value)
    except (TypeError, ValueError):
        seconds = 0
    if seconds < 1:
        raise ConnectionSettingsError(
            f"Extra {key}={value!r} of the SQL Server connection: expected seconds, 1 or more"
        )
    return seconds


def _read_switch(key: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise ConnectionSettingsError(f"Extra {key}={value!r} of the SQL Server connection: expected true or false")
    return text in _TRUE

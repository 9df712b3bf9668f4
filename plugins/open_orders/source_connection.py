"""The Airflow connection `erp_mssql` as arguments of the driver: extras are read by key, never spread."""

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

_TEXTS = ("appname", "charset")
_CHOICES = {
    "encryption": ("default", "off", "request", "require"),
    "tds_version": ("7.0", "7.1", "7.2", "7.3", "7.4"),
}
_SECONDS = ("login_timeout", "timeout")
_SWITCHES = ("read_only",)
_KNOWN = {*_TEXTS, *_CHOICES, *_SECONDS, *_SWITCHES, "sqlalchemy_scheme"}
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


def driver_arguments(connection: Connection) -> dict[str, Any]:
    """Return what `pymssql.connect` is called with.

    Extras: encryption (off, request, require), tds_version, login_timeout and timeout (seconds), read_only (true for a
    readable secondary), appname, charset. Raises ConnectionSettingsError for a value that isn't one.
    """
    address = SourceAddress.of(connection)
    # What the driver is told, its errors may repeat.
    hide_secrets(connection)
    extras = connection.extra_dejson
    arguments: dict[str, Any] = {
        "server": address.host,
        "port": str(address.port),
        "user": connection.login,
        "password": connection.password,
        "database": address.database,
        "appname": APPLICATION_NAME,
        "tds_version": TDS_VERSION,
        "login_timeout": LOGIN_TIMEOUT_S,
        "timeout": QUERY_TIMEOUT_S,
        # A read must not hold a transaction open in the ERP.
        "autocommit": True,
    }
    arguments |= {key: str(extras[key]) for key in _TEXTS if extras.get(key)}
    arguments |= {key: _read_choice(key, extras[key]) for key in _CHOICES if extras.get(key)}
    arguments |= {key: _read_seconds(key, extras[key]) for key in _SECONDS if key in extras}
    arguments |= {key: _read_switch(key, extras[key]) for key in _SWITCHES if key in extras}
    return arguments


def ignored_extras(connection: Connection) -> list[str]:
    """Return the names of extras that have no effect, so that a misspelt one is noticed."""
    return sorted(set(connection.extra_dejson) - _KNOWN)


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

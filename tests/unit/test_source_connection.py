from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from open_orders.errors import ConnectionSettingsError
from open_orders.source_connection import (
    MSSQL_PYTHON,
    PYMSSQL,
    SourceAddress,
    ignored_extras,
    mssql_python_keywords,
    pymssql_arguments,
    read_driver,
    read_timeouts,
)


def connection(**changes: Any) -> Connection:
    values: dict[str, Any] = {"host": "erp.example", "login": "reader", "password": "secret", "schema": "ERP"}
    extra = changes.pop("extra", {})
    return Connection(conn_id="erp_mssql", conn_type="mssql", **(values | changes), extra=json.dumps(extra))


def test_defaults_are_those_of_a_good_guest() -> None:
    assert pymssql_arguments(connection()) == {
        "server": "erp.example",
        "port": "1433",
        "user": "reader",
        "password": "secret",
        "database": "ERP",
        "appname": "open-orders-sync",
        "tds_version": "7.4",
        "login_timeout": 10,
        "timeout": 50,
        "autocommit": True,
    }


def test_extras_are_read_by_key_and_converted() -> None:
    extra = {
        "encryption": "require",
        "tds_version": 7.3,
        "login_timeout": "5",
        "timeout": 30,
        "read_only": "true",
        "appname": "x",
        "charset": "UTF-8",
        "conn_properties": "DROP TABLE x",
    }
    arguments = pymssql_arguments(connection(port=1444, extra=extra))
    assert arguments["tds_version"] == "7.3"
    assert (arguments["login_timeout"], arguments["timeout"]) == (5, 30)
    assert arguments["read_only"] is True
    assert arguments["encryption"] == "require"
    assert arguments["port"] == "1444"
    assert "conn_properties" not in arguments
    assert ignored_extras(connection(extra=extra), PYMSSQL) == ["conn_properties"]


def test_defaults_of_mssql_python_encrypt_and_check_the_certificate() -> None:
    assert mssql_python_keywords(connection()) == {
        "server": "erp.example,1433",
        "database": "ERP",
        "uid": "reader",
        "pwd": "secret",
        "encrypt": "yes",
        "trustservercertificate": "no",
        "connectretrycount": "0",
    }
    assert read_timeouts(connection()) == {"login_timeout": 10, "timeout": 50}


@pytest.mark.parametrize(
    ("encryption", "encrypt"), [("default", "yes"), ("off", "no"), ("request", "optional"), ("require", "yes")]
)
def test_encryption_means_the_same_for_mssql_python(encryption: str, encrypt: str) -> None:
    assert mssql_python_keywords(connection(extra={"encryption": encryption}))["encrypt"] == encrypt


def test_extras_of_mssql_python_are_read_by_key() -> None:
    extra = {"trust_server_certificate": True, "read_only": "yes", "driver": MSSQL_PYTHON, "appname": "x", "Encrypt": 1}
    found = mssql_python_keywords(connection(host="erp\\live", extra=extra))
    assert (found["trustservercertificate"], found["applicationintent"]) == ("yes", "ReadOnly")
    assert found["server"] == "erp\\live"
    assert ignored_extras(connection(extra=extra), MSSQL_PYTHON) == ["Encrypt", "appname"]
    assert ignored_extras(connection(extra=extra), PYMSSQL) == ["Encrypt", "trust_server_certificate"]


def test_driver_is_left_to_us_unless_the_connection_names_one() -> None:
    assert read_driver(connection()) is None
    assert read_driver(connection(extra={"driver": "pymssql"})) == PYMSSQL
    with pytest.raises(ConnectionSettingsError, match="driver='odbc'.*expected one of mssql-python, pymssql"):
        read_driver(connection(extra={"driver": "odbc"}))


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"timeout": "soon"}, "timeout='soon'.*expected seconds"),
        ({"login_timeout": 0}, "login_timeout=0.*expected seconds"),
        ({"encryption": "yes"}, "encryption='yes'.*expected one of default, off, request, require"),
        ({"tds_version": "9.0"}, "tds_version='9.0'.*expected one of 7.0, 7.1, 7.2, 7.3, 7.4"),
        ({"read_only": "maybe"}, "read_only='maybe'.*expected true or false"),
    ],
)
def test_bad_extra_names_key_value_and_what_was_expected(extra: dict[str, Any], says: str) -> None:
    with pytest.raises(ConnectionSettingsError, match=says):
        pymssql_arguments(connection(extra=extra))


def test_connection_without_host_is_refused() -> None:
    with pytest.raises(ConnectionSettingsError, match="erp_mssql has no host"):
        pymssql_arguments(connection(host=""))


def test_address_shows_no_password() -> None:
    assert str(SourceAddress.of(connection())) == "erp.example:1433/ERP"
    assert "secret" not in repr(SourceAddress.of(connection()))

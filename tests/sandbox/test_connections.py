from __future__ import annotations

import psycopg
import pytest

from sandbox.connections import Connection, ConnectionFormatError, parse_connection
from sandbox.postgres import EmbeddedPostgres


def parse(value: str) -> Connection:
    return parse_connection("AIRFLOW_CONN_ERP_MSSQL", value, default_port=1433)


def test_uri_is_read_with_its_percent_encoded_parts() -> None:
    connection = parse("mssql://s%40les:p%2Fw%3A%25@erp.example:1444/ERP%20live?encryption=require")
    assert connection == Connection(
        "mssql", "erp.example", 1444, "s@les", "p/w:%", "ERP live", {"encryption": "require"}
    )


def test_json_is_read_with_extras_of_either_form() -> None:
    for extra in ('{"sslmode": "require"}', r'"{\"sslmode\": \"require\"}"'):
        found = parse('{"conn_type": "mssql", "host": "erp", "login": "u", "schema": "ERP", "extra": ' + extra + "}")
        assert (found.host, found.port, found.database) == ("erp", 1433, "ERP")
        assert found.extras == {"sslmode": "require"}


def test_uri_round_trips() -> None:
    connection = Connection("mssql", "127.0.0.1", 1433, "sa", "p@ss/w:rd%", "ERP")
    assert parse(connection.to_uri()) == connection


@pytest.mark.parametrize("value", ["erp.example", "mssql://", "mssql://host:port/db", "{", '{"host": "erp"}'])
def test_anything_else_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ConnectionFormatError, match="AIRFLOW_CONN_ERP_MSSQL"):
        parse(value)


def test_password_is_neither_in_str_nor_in_repr() -> None:
    connection = parse("mssql://sa:topsecret@erp.example/ERP")
    assert str(connection) == "erp.example:1433/ERP"
    assert "topsecret" not in repr(connection)


def test_conninfo_opens_a_session(postgres: EmbeddedPostgres) -> None:
    connection = parse_connection("AIRFLOW_CONN_ORDERS_DB", postgres.dsn() + "?application_name=me&x=y", 5432)
    with psycopg.connect(connection.to_conninfo()) as session:
        assert session.execute("SHOW application_name").fetchone() == ("me",)

"""The sample ERP in a real SQL Server. None is to be had here: the statements go to the stand-in's scripted engine."""

from __future__ import annotations

from typing import Any

import pytest
import sqlglot

from sandbox.connections import Connection
from sandbox.erp import create
from sandbox.erp.schema import TABLES, read_batches
from sandbox.tds.engine import RowCount
from sandbox.tds.scripted_engine import ScriptedEngine, make_result
from sandbox.tds.server import StandInServer
from tests.sandbox.tds_client import PASSWORD

READER = "mssql://erp_reader:Reader'-9@sqlserver:1433/ERP"
ADMINISTRATOR = "mssql://sa:Administrator-11@sqlserver:1433/master"


def test_files_are_t_sql() -> None:
    assert len(TABLES) == 5
    for batch in [*TABLES, *read_batches("database.sql"), *read_batches("reader.sql")]:
        filled = batch.replace("%(database)s", "N'ERP'").replace("%(login)s", "N'x'").replace("%(password)s", "N'y'")
        assert "%(" not in filled
        assert all(sqlglot.parse(filled, dialect="tsql"))


def test_database_and_login_come_before_what_is_in_them_and_an_existing_erp_is_left_alone(
    server: StandInServer, engine: ScriptedEngine
) -> None:
    seen: list[str] = []

    def answer(text: str) -> list[Any]:
        seen.append(text)
        if "COUNT(*)" in text:
            return [make_result([("", "int")], [(4711,)])]
        return [RowCount(0)]

    engine.script(lambda text: "DECLARE @" in text or "COUNT(*)" in text, answer)
    administrator = Connection("mssql", "127.0.0.1", server.port, "sa", PASSWORD, "master")
    reader = Connection("mssql", "127.0.0.1", server.port, "erp_reader", "Reader'-9", "ERP")
    said = create.create(administrator, reader)
    assert said == f"Sample ERP 127.0.0.1:{server.port}/ERP: 4711 open order lines, there already"
    database, login, count = seen
    assert "@database sysname = N'ERP'" in database
    assert "@login sysname = N'erp_reader', @password nvarchar(128) = N'Reader''-9'" in login
    assert "SalesOrderLines" in count


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "SAMPLE_ERP_ADMINISTRATOR and AIRFLOW_CONN_ERP_MSSQL is not set"),
        ({"AIRFLOW_CONN_ERP_MSSQL": READER.replace("sqlserver", "erp.example")}, "points at erp.example:1433"),
        ({"AIRFLOW_CONN_ERP_MSSQL": READER.replace("erp_reader", "sa")}, "a login of its own"),
        ({"AIRFLOW_CONN_ERP_MSSQL": READER.replace("/ERP", "/master")}, "the database to create"),
    ],
)
def test_nothing_is_created_where_the_connections_are_not_the_sample_erps(
    variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ERP_MSSQL", raising=False)
    for name, value in ({"SAMPLE_ERP_ADMINISTRATOR": ADMINISTRATOR} | variables if variables else {}).items():
        monkeypatch.setenv(name, value)
    assert create.main() == 1
    said = capsys.readouterr()
    assert says in said.err
    assert "Reader" not in said.out + said.err

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.configuration import conf

from sandbox.airflow_environment import build_airflow_environment, leave_to_api_server
from sandbox.state import State


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    state = State(tmp_path / "state")
    state.create_directories()
    return build_airflow_environment(
        state,
        metadata_dsn="postgresql://postgres:pw@127.0.0.1:5433/airflow",
        orders_uri="postgres://postgres:pw@127.0.0.1:5433/orders",
        erp_uri="mssql://sa:pw@127.0.0.1:1433/ERP",
        web_port=8081,
        base={
            "PATH": "/usr/bin",
            "HOME": "/home/me",
            "NO_PROXY": "intranet.example",
            "AIRFLOW_HOME": "/elsewhere",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__DAG_CONCURRENCY": "1",
        },
    )


def test_every_option_exists_in_this_airflow(environment: dict[str, str]) -> None:
    known = {
        f"AIRFLOW__{section.upper()}__{option.upper()}"
        for section, description in conf.configuration_description.items()
        for option in description["options"]
    }
    used = {name for name in environment if name.startswith("AIRFLOW__")}
    assert used
    assert used <= known


def test_settings_of_another_airflow_do_not_leak_in(environment: dict[str, str], tmp_path: Path) -> None:
    assert environment["AIRFLOW_HOME"] == str(tmp_path / "state" / "airflow")
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW__CORE__DAG_CONCURRENCY" not in environment
    assert environment["HOME"] == "/home/me"


def test_tasks_find_the_api_server_past_a_proxy(environment: dict[str, str]) -> None:
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8081/execution/"
    assert environment["NO_PROXY"] == "intranet.example,127.0.0.1,localhost"


def test_keys_stay_the_same_from_start_to_start(environment: dict[str, str], tmp_path: Path) -> None:
    again = build_airflow_environment(
        State(tmp_path / "state"), metadata_dsn="", orders_uri="", erp_uri="", web_port=8081, base={}
    )
    for name in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY"):
        assert again[name] == environment[name]


def test_pages_have_the_connection_that_is_theirs_or_none(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.create_directories()
    addresses = {"metadata_dsn": "", "orders_uri": "postgres://pipeline@h/orders", "erp_uri": "", "web_port": 8081}
    inherited = {"AIRFLOW_CONN_ORDERS_DB_WEB": "postgres://somebody@elsewhere/orders"}
    own = build_airflow_environment(state, **addresses, orders_web_uri="postgres://web@h/orders", base=inherited)
    assert own["AIRFLOW_CONN_ORDERS_DB_WEB"] == "postgres://web@h/orders"
    assert "AIRFLOW_CONN_ORDERS_DB_WEB" not in build_airflow_environment(state, **addresses, base=inherited)


def test_api_server_knows_the_pipeline_s_connection_only_when_the_pages_need_it() -> None:
    given = {"AIRFLOW_CONN_ORDERS_DB": "a", "AIRFLOW_CONN_ERP_MSSQL": "b", "PATH": "c"}
    assert leave_to_api_server(given) == {"AIRFLOW_CONN_ORDERS_DB": "a", "PATH": "c"}
    given["AIRFLOW_CONN_ORDERS_DB_WEB"] = "d"
    assert leave_to_api_server(given) == {"AIRFLOW_CONN_ORDERS_DB_WEB": "d", "PATH": "c"}

"""The compose file can't be started where no container engine is; what it says is held against what the tests run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from open_orders.settings import PREFIX, Settings
from sandbox.airflow_environment import build_airflow_environment
from sandbox.state import State

ROOT = Path(__file__).parents[2]
SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yaml").read_text()))


def test_compose_file_is_valid() -> None:
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yaml")]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_services_run_the_commands_that_the_sandbox_runs(compose: dict[str, Any]) -> None:
    procfile = dict(line.split(": ", 1) for line in (ROOT / "sandbox" / "Procfile").read_text().splitlines() if line)
    for service in SERVICES:
        assert re.search(rf"airflow {compose['services'][service]['command']}\b", procfile[service])


def test_airflow_options_are_those_that_the_sandbox_runs_with(compose: dict[str, Any], tmp_path: Path) -> None:
    addresses = {"metadata_dsn": "postgresql://x", "orders_uri": "y", "erp_uri": "z", "web_port": 8080}
    state = State(tmp_path)
    state.create_directories()
    sandbox = build_airflow_environment(state, **addresses, base={})
    differs = {"SECRET", "FERNET", "SQL_ALCHEMY_CONN", "EXECUTION_API_SERVER_URL"}
    for name, value in compose["services"]["scheduler"]["environment"].items():
        if name.startswith("AIRFLOW__"):
            assert name in sandbox
            if not any(part in name for part in differs):
                assert sandbox[name].lower() == value.lower(), name


def test_every_variable_is_explained_and_no_password_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yaml").read_text()
    example = (ROOT / ".env.example").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used == set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert {name for name in used if name.startswith(PREFIX)} == settings
    for name in used - settings:
        assert f"${{{name}:?see .env.example}}" in text


def test_each_process_gets_only_the_connections_that_it_needs(compose: dict[str, Any]) -> None:
    pipeline = {"AIRFLOW_CONN_ORDERS_DB", "AIRFLOW_CONN_ERP_MSSQL"}
    given = {
        service: {name for name in compose["services"][service].get("environment", {}) if name.startswith("AIRFLOW_C")}
        for service in SERVICES
    }
    assert given == {
        "api-server": {"AIRFLOW_CONN_ORDERS_DB_WEB"},
        "scheduler": pipeline,
        "dag-processor": pipeline,
        "triggerer": set(),
    }


def test_nothing_that_keeps_running_knows_the_administrator(compose: dict[str, Any]) -> None:
    administrator = compose["services"]["postgres"]["environment"]["POSTGRES_USER"]
    for service in SERVICES:
        for name, value in compose["services"][service]["environment"].items():
            assert not name.startswith("PG")
            assert "POSTGRES_PASSWORD" not in value, name
            assert f"//{administrator}:" not in value, name


def test_image_has_the_airflow_that_requirements_pin() -> None:
    pinned = re.search(r"^apache-airflow==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"FROM apache/airflow:{pinned[1]}-python3.11" in (ROOT / "Dockerfile").read_text()
    assert f"image: open-orders-airflow:{pinned[1]}" in (ROOT / "docker-compose.yaml").read_text()


def test_image_has_every_folder_that_production_needs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for path in ("dags", "plugins", "include", "bin/migrate", "bin/roles", "requirements.txt"):
        assert re.search(rf"^COPY .* {path} /opt/airflow/{path}$", dockerfile, re.MULTILINE), path


def test_named_packages_are_asked_for_by_name_and_pinned() -> None:
    for package in (
        "apache-airflow",
        "apache-airflow-providers-microsoft-mssql",
        "apache-airflow-providers-postgres",
        "flask-appbuilder",
        "sqlalchemy",
    ):
        assert re.search(rf"^{package}(==|$)", (ROOT / "requirements.in").read_text(), re.MULTILINE), package
        assert re.search(rf"^{package}==", (ROOT / "requirements.txt").read_text(), re.MULTILINE), package

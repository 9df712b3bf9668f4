"""The values for the official Helm chart say the same as docker-compose.yaml.

The chart is no package that could be installed here: docs/deploy.md says how to check the values against its schema.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from open_orders.settings import PREFIX
from tests.compose_file import PROFILE_VALUES, ROOT, VALUES, render

FILE = ROOT / "helm" / "values.yaml"
# What the chart itself sets, from its secrets and its services' names.
BY_THE_CHART = {
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
}
# The chart's health check is a command of its own; its Redis and workers are set up by the chart.
NOT_IN_THE_CHART = ("AIRFLOW__CELERY", "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK")
SERVICES = {
    "scheduler": "scheduler",
    "dag-processor": "dagProcessor",
    "api-server": "apiServer",
    "triggerer": "triggerer",
}
UNITS = {"2g": "2Gi", "1g": "1Gi", "512m": "512Mi"}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(yaml.load(FILE.read_text(), yaml.CSafeLoader))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(render(VALUES | PROFILE_VALUES)["services"])


def test_image_and_versions_are_those_of_compose(values: dict[str, Any], services: dict[str, Any]) -> None:
    image = values["images"]["airflow"]
    assert f"{image['repository'].split('/')[-1]}:{image['tag']}" == services["scheduler"]["image"]
    assert values["airflowVersion"] == image["tag"]
    assert values["executor"] == services["scheduler"]["environment"]["AIRFLOW__CORE__EXECUTOR"]


def test_options_are_those_of_compose(values: dict[str, Any], services: dict[str, Any]) -> None:
    compose = {
        name: value
        for name, value in services["scheduler"]["environment"].items()
        if name.startswith("AIRFLOW__") and not name.startswith(NOT_IN_THE_CHART) and name not in BY_THE_CHART
    }
    assert {entry["name"]: entry["value"] for entry in values["env"]} == compose
    named = set(re.findall(rf"{PREFIX}\w+", FILE.read_text()))
    assert named <= services["scheduler"]["environment"].keys()


@pytest.mark.parametrize("service", SERVICES)
def test_connections_and_limits_are_those_of_compose(
    service: str, values: dict[str, Any], services: dict[str, Any]
) -> None:
    component = values[SERVICES[service]]
    connections = {name for name in services[service]["environment"] if name.startswith("AIRFLOW_CONN_")}
    assert {entry["name"] for entry in component.get("env", [])} == connections
    limits = {"cpu": str(services[service]["cpus"]), "memory": UNITS[services[service]["mem_limit"]]}
    assert component["resources"]["limits"] == limits


def test_history_runs_beside_the_scheduler_as_compose_has_it(values: dict[str, Any], services: dict[str, Any]) -> None:
    (container,) = values["scheduler"]["extraContainers"]
    history = services["history"]
    assert container["image"] == ":".join(values["images"]["airflow"][part] for part in ("repository", "tag"))
    assert " ".join(container["args"]) == history["command"]
    limits = {"cpu": str(history["cpus"]), "memory": UNITS[history["mem_limit"]]}
    assert container["resources"]["limits"] == limits
    connections = {name for name in history["environment"] if name.startswith("AIRFLOW_CONN_")}
    assert {entry["name"] for entry in container["env"]} == connections | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"}


def test_migration_job_does_what_init_does_after_the_roles(values: dict[str, Any], services: dict[str, Any]) -> None:
    script = values["migrateDatabaseJob"]["args"][-1]
    assert services["init"]["command"][0].endswith(script)
    given = {entry["name"]: entry.get("value") for entry in values["migrateDatabaseJob"]["env"]}
    assert given.keys() == {"ADMIN_PASSWORD", "AIRFLOW_CONN_ORDERS_DB", "PGOPTIONS"}
    assert given["PGOPTIONS"] == services["init"]["environment"]["PGOPTIONS"]


def test_no_secret_is_written_in_the_file(values: dict[str, Any]) -> None:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            name = str(value.get("name", ""))
            if "CONN_" in name or "PASSWORD" in name:
                assert value["valueFrom"]["secretKeyRef"]["key"] == name
            for part in value.values():
                check(part)
        if isinstance(value, list):
            for part in value:
                check(part)

    check(values)
    for key in ("fernetKey", "apiSecretKey", "jwtSecret"):
        assert key not in values
    assert set(values["data"]) == {"metadataSecretName"}


def test_every_secret_is_created_in_the_instructions(values: dict[str, Any]) -> None:
    secrets = set(re.findall(r"\bopen-orders-(?!airflow)\w+", FILE.read_text()))
    page = (ROOT / "docs" / "deploy.md").read_text()
    assert secrets == set(re.findall(r"kubectl create secret generic (open-orders-\w+)", page))
    for key in re.findall(r"key: (\w+)", FILE.read_text()):
        assert f"--from-literal={key}=" in page

"""The compose file can't be started where no container engine is; what it says is held against what the tests run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.celery.get_provider_info import get_provider_info

from sandbox.airflow_environment import build_airflow_environment
from sandbox.state import State
from tests.compose_file import FILE, PROFILE_VALUES, ROOT, VALUES, read_variables, render

SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
ONE_SHOT = {"init", "erp-init"}
PROFILES = {
    "redis": ["scale"],
    "worker": ["scale"],
    "sqlserver": ["sqlserver"],
    "erp-init": ["sqlserver"],
    "erp": ["sqlserver"],
}
# Options that the sandbox has no use for: it has no queue, and looks at its processes itself.
ONLY_IN_COMPOSE = (
    "AIRFLOW__CELERY",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT",
)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return render(VALUES | PROFILE_VALUES)


def test_compose_file_is_valid_as_written_and_as_rendered(compose: dict[str, Any], tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    # JSON is YAML.
    rendered.write_text(json.dumps(compose))
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE), str(rendered)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_missing_variable_is_named() -> None:
    for name in VALUES:
        for broken in ({**VALUES, name: ""}, {other: value for other, value in VALUES.items() if other != name}):
            with pytest.raises(ValueError, match=rf"required variable {name} is missing a value: see .env.example"):
                render(broken)


def test_a_profile_that_is_off_needs_nothing() -> None:
    services = render(VALUES)["services"]
    assert services["scheduler"]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert {name: service["profiles"] for name, service in services.items() if "profiles" in service} == PROFILES


@pytest.mark.parametrize(
    ("service", "variable"),
    [("redis", "REDIS_PASSWORD"), ("sqlserver", "MSSQL_ACCEPT_EULA"), ("sqlserver", "MSSQL_SA_PASSWORD")],
)
def test_service_of_a_profile_says_which_variable_is_missing(service: str, variable: str) -> None:
    described = render({**VALUES, **PROFILE_VALUES, variable: ""})["services"][service]
    command = [*described["entrypoint"], *described["command"]]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", **described["environment"]}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"profile {described['profiles'][0]} needs" in done.stderr
    assert ".env.example" in done.stderr


def test_scripts_of_the_services_are_valid_shell(compose: dict[str, Any]) -> None:
    scripts = [
        script
        for service in compose["services"].values()
        for script in [
            *(service["command"] if "entrypoint" in service else []),
            *(part for part in service.get("healthcheck", {}).get("test", [])[1:] if " " in part),
        ]
    ]
    assert len(scripts) >= 5
    for script in scripts:
        done = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_services_run_the_commands_that_the_sandbox_runs(compose: dict[str, Any]) -> None:
    procfile = dict(line.split(": ", 1) for line in (ROOT / "sandbox" / "Procfile").read_text().splitlines() if line)
    for service in SERVICES[:-1]:
        assert re.search(rf"airflow {compose['services'][service]['command']}\b", procfile[service])


def test_airflow_options_are_those_that_the_sandbox_runs_with(compose: dict[str, Any], tmp_path: Path) -> None:
    addresses = {"metadata_dsn": "postgresql://x", "orders_uri": "y", "erp_uri": "z", "web_port": 8080}
    state = State(tmp_path)
    state.create_directories()
    sandbox = build_airflow_environment(state, **addresses, base={})
    differs = {"SECRET", "FERNET", "SQL_ALCHEMY_CONN", "EXECUTION_API_SERVER_URL", "BASE_URL"}
    for service in SERVICES:
        for name, value in compose["services"][service]["environment"].items():
            if name.startswith("AIRFLOW__") and not name.startswith(ONLY_IN_COMPOSE):
                assert name in sandbox
                if not any(part in name for part in differs):
                    assert sandbox[name].lower() == value.lower(), name


def test_airflow_knows_every_option_that_is_set(compose: dict[str, Any]) -> None:
    package = Path(next(iter(find_spec("airflow").submodule_search_locations)))  # type: ignore[union-attr, arg-type]
    core = yaml.load((package / "config_templates" / "config.yml").read_text(), yaml.CSafeLoader)
    known = {
        f"AIRFLOW__{section}__{option}".upper()
        for described in (core, get_provider_info()["config"])
        for section, options in described.items()
        for option in options["options"]
    }
    for service in SERVICES:
        given = {name for name in compose["services"][service]["environment"] if name.startswith("AIRFLOW__")}
        assert given - known == set()


def test_every_variable_is_explained_and_no_password_has_a_default() -> None:
    text = FILE.read_text()
    example = (ROOT / ".env.example").read_text()
    assert read_variables() | {"COMPOSE_PROFILES"} == set(re.findall(r"^(?:# )?(\w+)=", example, re.MULTILINE))
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == set(VALUES)
    for name in VALUES:
        assert set(re.findall(rf"\$\{{{name}[^}}]*\}}", text)) == {f"${{{name}:?see .env.example}}"}
    for name in PROFILE_VALUES:
        assert set(re.findall(rf"(?<!\$)\$\{{{name}[^}}]*\}}", text)) == {f"${{{name}:-}}"}


def test_every_long_running_service_is_watched_restarted_and_limited(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in ONE_SHOT), name
        assert service["mem_limit"], name
        # Docker refuses to start a container with more processors than there are.
        assert service["cpus"] <= 2, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name


def test_what_is_written_is_in_named_volumes(compose: dict[str, Any]) -> None:
    mounts = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    assert {mount.split(":")[0] for mount in mounts if mount[0] != "."} == set(compose["volumes"])
    assert all(mount.endswith(":ro") for mount in mounts if mount[0] == ".")


def test_only_the_web_ui_is_reached_from_outside_and_only_from_this_machine(compose: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"api-server": ["127.0.0.1:8080:8080"]}


def test_each_process_gets_only_the_connections_that_it_needs(compose: dict[str, Any]) -> None:
    pipeline = {
        "AIRFLOW_CONN_ORDERS_DB",
        "AIRFLOW_CONN_ERP_MSSQL",
        "AIRFLOW_CONN_ALERTS",
        "AIRFLOW_CONN_PING_SYNC_OPEN_ORDERS",
    }
    given = {
        service: {name for name in compose["services"][service]["environment"] if name.startswith("AIRFLOW_C")}
        for service in SERVICES
    }
    assert given == {
        "api-server": {"AIRFLOW_CONN_ORDERS_DB_WEB"},
        "scheduler": pipeline,
        "dag-processor": pipeline,
        "triggerer": set(),
        "worker": pipeline,
    }


def test_nothing_that_keeps_running_knows_the_administrator(compose: dict[str, Any]) -> None:
    administrator = compose["services"]["postgres"]["environment"]["POSTGRES_USER"]
    for service in SERVICES:
        for name, value in compose["services"][service]["environment"].items():
            assert not name.startswith("PG")
            assert VALUES["POSTGRES_PASSWORD"] not in value, name
            assert f"//{administrator}:" not in value, name


def test_only_who_uses_the_queue_knows_its_password(compose: dict[str, Any]) -> None:
    knows = {name for name, service in compose["services"].items() if PROFILE_VALUES["REDIS_PASSWORD"] in str(service)}
    assert knows == {"redis", "scheduler", "worker"}


def test_image_has_the_airflow_that_requirements_pin() -> None:
    pinned = re.search(r"^apache-airflow==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"FROM apache/airflow:slim-{pinned[1]}-python3.11" in (ROOT / "Dockerfile").read_text()
    assert f"image: open-orders-airflow:{pinned[1]}" in FILE.read_text()


def test_image_has_everything_that_production_needs_and_its_context_no_more() -> None:
    copied = re.findall(r"^COPY --chown=airflow:root (\S+) /opt/airflow/\1$", (ROOT / "Dockerfile").read_text(), re.M)
    commands = [f"bin/{name}" for name in ("migrate", "roles", "permissions", "check")]
    production = ["requirements.txt", "dags", "plugins", "include", *commands]
    assert copied == production
    assert all((ROOT / path).exists() for path in copied)
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    assert [line[1:] for line in ignore if line.startswith("!")] == production


def test_dockerfile_passes_the_linter() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint is not None
    done = subprocess.run(
        [hadolint, "--failure-threshold", "style", "--config", "/dev/null", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_every_program_of_the_compose_file_exists(compose: dict[str, Any]) -> None:
    """Those of the images of others are what their documentation names; ours have to be in requirements.txt."""
    init = "\n".join(compose["services"]["init"]["command"])
    modules = [("plugins", module) for module in re.findall(r"^python -m (\S+)", init, re.MULTILINE)]
    for name in ("erp-init", "erp"):
        assert compose["services"][name]["command"][:2] == ["python", "-m"]
        modules.append((".", compose["services"][name]["command"][2]))
    assert len(modules) == 6
    for folder, module in modules:
        path = ROOT / folder / module.replace(".", "/")
        assert 'if __name__ == "__main__":' in (
            (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
        )
    programs = Path(sys.executable).parent
    for service in SERVICES:
        test = " ".join(compose["services"][service]["healthcheck"]["test"])
        assert re.search(r"\b(curl|airflow|celery)\b", test), service
    assert (programs / "airflow").exists()
    assert (programs / "celery").exists()


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

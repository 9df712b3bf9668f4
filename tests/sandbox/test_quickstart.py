"""The quickstart without its Airflow; the whole of it runs in tests/e2e."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.__main__ import parse_options
from sandbox.ports import find_free_port
from sandbox.quickstart import Options
from sandbox.state import REPOSITORY, State

TOOLS = ("bash", "cat", "cksum", "dirname", "flock", "grep", "tail")


def run_quickstart(state_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=REPOSITORY,
        env=inherited | {"OPEN_ORDERS_SANDBOX_DIR": str(state_dir)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def run_setup(root: Path, python3: str | None) -> subprocess.CompletedProcess[str]:
    """Run bin/setup where nothing is installed but the shell's tools and, if given, a python3 script."""
    (root / "bin").mkdir()
    (root / "tools").mkdir()
    shutil.copy(REPOSITORY / "bin" / "setup", root / "bin")
    shutil.copy(REPOSITORY / "requirements-dev.txt", root)
    for tool in TOOLS:
        found = shutil.which(tool)
        if found is not None:
            (root / "tools" / tool).symlink_to(found)
    if python3 is not None:
        script = root / "tools" / "python3"
        script.write_text(python3)
        script.chmod(0o755)
    return subprocess.run(
        [root / "bin" / "setup"],
        env={"PATH": str(root / "tools")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_options_the_defaults_hold() -> None:
    assert parse_options([]) == Options(once=False, rows=None, port=8080, reset=False, faults={})


def test_faults_are_names_with_optional_values() -> None:
    arguments = ["--fault", "refuse_logins", "--fault", "drop_after_rows=100"]
    arguments += ["--fault", 'error_after_rows=[10, 1205, 13, 51, "deadlock"]']
    assert parse_options(arguments).faults == {
        "refuse_logins": True,
        "drop_after_rows": 100,
        "error_after_rows": [10, 1205, 13, 51, "deadlock"],
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fault", "catch_fire"],
        ["--fault", "drop_after_rows=many"],
        ["--fault", "drop_after_rows"],
        ["--rows", "1"],
        ["--rows", "some"],
        ["--port", "70000"],
        ["--twice"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_help_shows_examples_and_exit_codes(tmp_path: Path) -> None:
    done = run_quickstart(tmp_path, "--help")
    assert done.returncode == 0
    assert "bin/quickstart --once --fault refuse_logins" in done.stdout
    assert "3 could not start" in done.stdout


def test_taken_port_is_named_with_the_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_quickstart(tmp_path, "--once", "--port", str(port))
    assert done.returncode == 3
    assert f"Port {port} on 127.0.0.1 cannot be used" in done.stdout
    assert "--port" in done.stdout


def test_second_quickstart_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with State(tmp_path).lock():
        done = run_quickstart(tmp_path, "--once")
    assert done.returncode == 3
    assert f"process {os.getpid()}" in done.stdout


def test_reset_says_what_it_removes(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run_quickstart(tmp_path, "--reset", "--port", str(other.getsockname()[1]))
    assert f"Removed from {tmp_path}: logs" in done.stdout


def test_faults_of_the_stand_in_are_refused_for_a_source_of_the_user_s_own(tmp_path: Path) -> None:
    uri = "mssql://reader:topsecret@erp.example:1433/ERP"
    done = run_quickstart(tmp_path, "--fault", "zero_rows", AIRFLOW_CONN_ERP_MSSQL=uri)
    assert done.returncode == 3
    assert "erp.example:1433/ERP" in done.stdout
    assert "topsecret" not in done.stdout + done.stderr


def test_malformed_connection_is_reported_by_its_variable(tmp_path: Path) -> None:
    done = run_quickstart(tmp_path, "--once", AIRFLOW_CONN_ORDERS_DB="orders-host:secretword")
    assert done.returncode == 3
    assert "AIRFLOW_CONN_ORDERS_DB is not a connection" in done.stdout
    assert "secretword" not in done.stdout + done.stderr


def test_reading_role_without_its_database_is_refused(tmp_path: Path) -> None:
    done = run_quickstart(tmp_path, "--once", AIRFLOW_CONN_ORDERS_DB_WEB="postgres://web:topsecret@db.example/orders")
    assert done.returncode == 3
    assert "set AIRFLOW_CONN_ORDERS_DB to it, too" in done.stdout
    assert "topsecret" not in done.stdout + done.stderr


def test_data_of_another_postgresql_stops_the_start_with_advice(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    done = run_quickstart(tmp_path, "--once", "--port", str(find_free_port()))
    assert done.returncode == 3
    assert "created by PostgreSQL 15, expected 18" in done.stdout


def test_setup_without_python_says_what_to_install(tmp_path: Path) -> None:
    done = run_setup(tmp_path, None)
    assert done.returncode == 3
    assert "Python 3.11 or newer is needed; found: none" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_setup_with_an_old_python_names_its_version(tmp_path: Path) -> None:
    done = run_setup(tmp_path, "#!/bin/sh\ncase $2 in *version_info*) exit 1;; esac\necho 3.9.2\n")
    assert done.returncode == 3
    assert "found: python3 (3.9.2)" in done.stderr


def test_setup_without_the_venv_module_names_its_package(tmp_path: Path) -> None:
    done = run_setup(tmp_path, "#!/bin/sh\ncase $2 in *ensurepip*) exit 1;; esac\n")
    assert done.returncode == 3
    assert "apt-get install python3-venv" in done.stderr

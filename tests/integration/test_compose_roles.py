"""What compose's init does to the databases, by running its own commands; Airflow's are run by the quickstart."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sandbox.postgres import EmbeddedPostgres
from tests.compose_file import ROOT, VALUES, render
from tests.integration.database_roles import make_site

PASSWORDS = {name: value for name, value in VALUES.items() if name.endswith("PASSWORD")}
ROLES = {
    "airflow_metadata": ("metadata-2", "airflow"),
    "open_orders_pipeline": ("pipeline-3", "orders"),
    "open_orders_web": ("web-4", "orders"),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a server as the image of PostgreSQL makes it: its administrator and one database are named airflow."""
    with EmbeddedPostgres(tmp_path / "data", settings={"fsync": "off"}) as server:
        server.create_database("airflow")
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE airflow SUPERUSER LOGIN PASSWORD 'administrator-1'")
        yield server


def address(server: EmbeddedPostgres, role: str, password: str, database: str) -> str:
    return make_conninfo(host="127.0.0.1", port=server.port, user=role, password=password, dbname=database)


def run_init(server: EmbeddedPostgres, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run the commands of init, all but Airflow's own."""
    init: Mapping[str, Any] = render(VALUES)["services"]["init"]
    ours, _, airflows = init["command"][0].partition("printf ")
    assert "open_orders" not in airflows.replace("open_orders.web.permissions", "")
    environment = {
        name: value.replace("@postgres:5432/", f"@127.0.0.1:{server.port}/")
        for name, value in init["environment"].items()
    }
    return subprocess.run(
        [*init["entrypoint"], re.sub("^airflow db migrate$", "", ours, flags=re.MULTILINE)],
        env={
            **environment,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT / "plugins"),
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("upgrade", [False, True], ids=["new", "from before there were roles"])
def test_each_role_gets_into_its_own_database_only(server: EmbeddedPostgres, tmp_path: Path, upgrade: bool) -> None:
    if upgrade:
        server.create_database("orders")
        make_site(address(server, "airflow", "administrator-1", "orders")).migrate()
        with psycopg.connect(address(server, "airflow", "administrator-1", "airflow")) as metadata:
            metadata.execute("CREATE TABLE dag_run (id serial)")
    for _ in range(2 if upgrade else 1):
        done = run_init(server, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [word for word in PASSWORDS.values() if word in done.stdout + done.stderr] == []
    for role, (password, database) in ROLES.items():
        with psycopg.connect(address(server, role, password, database)) as connection:
            row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            assert row == (False,)
            if upgrade and role == "airflow_metadata":
                connection.execute("ALTER TABLE dag_run ADD COLUMN state text")
        other = {"airflow": "orders", "orders": "airflow"}[database]
        with pytest.raises(psycopg.OperationalError, match=f'permission denied for database "{other}"'):
            psycopg.connect(address(server, role, password, other))
    with psycopg.connect(address(server, "open_orders_web", "web-4", "orders")) as pages:
        assert pages.execute("SELECT FROM open_orders").fetchall() == []

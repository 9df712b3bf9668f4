"""The commands of docs/upgrade.md for backup and restore, run as they stand there, without the container."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from open_orders.schema_version import HEAD, check_revision
from sandbox.postgres import SUPERUSER, EmbeddedPostgres, find_binary
from tests.integration.database_roles import make_site

PAGE = Path(__file__).parents[2] / "docs" / "upgrade.md"
IN_CONTAINER = "docker compose exec -T postgres "


def read_commands(heading: str) -> list[str]:
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def run(command: str, server: EmbeddedPostgres, folder: Path) -> None:
    assert command.startswith(IN_CONTAINER)
    environment = {
        "PATH": f"{find_binary(18, 'psql').parent}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGPASSWORD": server.read_password(),
    }
    command = command.removeprefix(IN_CONTAINER).replace("--username airflow", f"--username {SUPERUSER}")
    done = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.fixture
def servers(tmp_path: Path):
    """Yield a server with both databases in use, and an empty one as the image makes it."""
    settings = {"fsync": "off"}
    with (
        EmbeddedPostgres(tmp_path / "old", settings=settings) as old,
        EmbeddedPostgres(tmp_path / "new", settings=settings) as new,
    ):
        for server in (old, new):
            server.create_database("airflow")
        old.create_database("orders")
        make_site(old.dsn("orders")).migrate()
        yield old, new


def test_restored_backup_has_the_rows_and_the_tables_that_the_code_needs(
    servers: tuple[EmbeddedPostgres, EmbeddedPostgres], tmp_path: Path
) -> None:
    old, new = servers
    with psycopg.connect(old.dsn("airflow")) as metadata:
        metadata.execute("CREATE TABLE dag_run AS SELECT 1 AS id")
    with psycopg.connect(old.dsn("orders")) as orders:
        orders.execute("""INSERT INTO job_logs (name, job_name, dag_id, run_id, trigger, started_at, heartbeat_at)
                          VALUES ('20260102_030405', 'a job', 'dag', 'run', 'manual', now(), now())""")
        orders.execute("""INSERT INTO open_orders_batches (job_log_id, batch_no, landed, first_row, in_order)
                          VALUES (1, 1, 9, 1, TRUE)""")
    with psycopg.connect(old.dsn("orders")) as sync:
        # What a sync that runs meanwhile does to the working tables does not hold up the backup of the others.
        sync.execute("TRUNCATE open_orders_landing, open_orders_staging")
        for command in read_commands("Back up")[:2]:
            run(command, old, tmp_path)
    run(read_commands("Back up")[2], old, tmp_path)
    *restore, last = read_commands("Restore")
    assert last == "docker compose up --detach"
    for command in restore:
        run(command, new, tmp_path)
    with psycopg.connect(new.dsn("orders")) as orders:
        assert check_revision(orders) == HEAD
        assert orders.execute("SELECT name FROM job_logs").fetchall() == [("20260102_030405",)]
        for table in ("open_orders_landing", "open_orders_staging", "open_orders_batches", "open_orders"):
            assert orders.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]
        kinds = "SELECT DISTINCT relpersistence FROM pg_class WHERE relname ~ '^open_orders_(landing|staging|batches)$'"
        assert orders.execute(kinds).fetchall() == [("u",)]
    with psycopg.connect(new.dsn("airflow")) as metadata:
        assert metadata.execute("SELECT id FROM dag_run").fetchall() == [(1,)]

"""Each service of docker-compose.yaml runs, is healthy and does its work, with the file's own command and environment.

No container engine is needed: see compose_host.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sandbox.debian import find_program
from tests.compose_file import PROFILE_VALUES, VALUES, render
from tests.e2e.compose_host import ComposeHost

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(3000),
    # CI runs as root, so there it is never skipped.
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks of its own"),
]
RUN_TIMEOUT_S = 300
ALWAYS = ("api-server", "scheduler", "dag-processor", "triggerer", "history")
VARIABLES = VALUES | PROFILE_VALUES


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeHost]:
    """Yield the machine with PostgreSQL and the ERP."""
    with ComposeHost(tmp_path_factory.mktemp("compose"), render(VARIABLES)["services"]) as host:
        host.start_servers()
        host.await_health("postgres")
        yield host


@pytest.fixture(scope="module")
def initialised(host: ComposeHost) -> ComposeHost:
    """Return the machine with everything that init makes."""
    done = host.run("init")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert [name for name, value in VARIABLES.items() if len(value) > 1 and value in said] == []
    return host


def query(host: ComposeHost, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    where = {"host": str(host.folder / "servers" / "data"), "user": "airflow", "password": VALUES["POSTGRES_PASSWORD"]}
    with psycopg.connect(dbname=database, **where) as connection:
        return connection.execute(statement, values).fetchall()


def sync(host: ComposeHost, run_id: str) -> None:
    """Trigger a run and return when its job log says success."""
    for command in (["unpause"], ["trigger", "--run-id", run_id]):
        host.await_true(
            lambda command=command: (
                host.run("scheduler", "airflow", "dags", *command, "sync_open_orders").returncode == 0
            ),
            RUN_TIMEOUT_S,
            f"airflow dags {command[0]}",
        )

    def has_ended() -> bool:
        return query(host, "orders", "SELECT FROM job_logs WHERE run_id = %s AND status IN (2, 3)", run_id) != []

    host.await_true(has_ended, RUN_TIMEOUT_S, f"the end of run {run_id}")
    found = query(host, "orders", "SELECT status, fetched, error_summary FROM job_logs WHERE run_id = %s", run_id)
    assert found[0][0] == 2, found
    assert found[0][1] > 0


def test_sample_erp_lives(host: ComposeHost) -> None:
    host.start("erp")
    host.await_health("erp")
    assert "lines arrived" in host.read_output("erp")
    host.stop("erp")


def test_queue_wants_its_password(host: ComposeHost) -> None:
    find_program(["redis-server"], "redis-server", "The queue of the profile scale")
    host.start("redis")
    host.await_health("redis")
    arguments = host.run("redis", "ps", "-o", "args=", "-p", str(host.find_process("redis"))).stdout
    assert PROFILE_VALUES["REDIS_PASSWORD"] not in arguments
    refused = host.run("scheduler", "redis-cli", "-h", "redis", "ping")
    assert "NOAUTH" in refused.stdout + refused.stderr
    host.stop("redis")
    assert host.check_health("redis").returncode != 0


@pytest.mark.parametrize(
    ("executor", "services", "where"),
    [
        ("LocalExecutor", ALWAYS, "scheduler"),
        ("CeleryExecutor", ("redis", *ALWAYS, "worker"), "worker"),
    ],
)
def test_services_are_healthy_and_sync(
    initialised: ComposeHost, executor: str, services: tuple[str, ...], where: str
) -> None:
    host = initialised
    if "redis" in services:
        find_program(["redis-server"], "redis-server", "The queue of the profile scale")
    host.services = render({**VARIABLES, "AIRFLOW__CORE__EXECUTOR": executor})["services"]
    try:
        for name in services:
            host.start(name)
            if name == "redis":
                host.await_health(name)
        for name in sorted(services, key=lambda name: "airflow" in host.services[name]["healthcheck"]["test"]):
            # Those that start an Airflow come last, when the processes have started.
            host.await_health(name)
        sync(host, f"compose_{executor}")
        ran_on = query(
            host, "airflow", "SELECT DISTINCT hostname FROM task_instance WHERE run_id = %s", f"compose_{executor}"
        )
        assert ran_on == [(where,)]
        assert query(host, "orders", "SELECT count(*) FROM open_orders")[0][0] > 0
        # 503 is an answer, too: whether the sync can be trusted; 401 would be a wrong password.
        url = "http://api-server:8080/job_logs/api/health"
        answer = host.run(
            "api-server", "curl", "--silent", "--user", "admin:admin-5", "--write-out", "%{http_code}", url
        )
        assert answer.stdout[-3:] in ("200", "503"), answer
    finally:
        took = {name: host.stop(name) for name in reversed(services)}
    for name in set(services) - {"history"}:
        assert host.check_health(name).returncode != 0, f"{name} is called healthy when it is stopped"
    print(f"stopped within (s): {took}")

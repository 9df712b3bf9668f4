"""A real Airflow api-server with our pages, and a signed-in browser on it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psutil
import psycopg

from bench.airflow_setup import USER
from open_orders.roles.provision import Login, provision_orders
from sandbox import roles
from sandbox.airflow_environment import build_airflow_environment
from sandbox.connections import Connection
from sandbox.ports import find_free_port
from sandbox.postgres import EmbeddedPostgres
from sandbox.processes import read_tail
from sandbox.progress import Command, announce
from sandbox.state import REPOSITORY, State

METADATA = "airflow"
START_TIMEOUT_S = 180
REQUEST_TIMEOUT_S = 60


class ApiServerError(Exception):
    """The api-server does not answer, or refuses the user; the message holds the end of its log."""


@dataclass(frozen=True)
class ApiServer:
    """A running api-server.

    browser: keeps one connection open and has the session cookie of Airflow's web UI, of a user with the role Admin.
    """

    browser: httpx.Client
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return the seconds of processor time that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def run_api_server(
    postgres: EmbeddedPostgres, orders_database: str, directory: Path, reading: EmbeddedPostgres | None = None
) -> Iterator[ApiServer]:
    """Yield an api-server, as the sandbox configures it, on its own metadata database of `postgres`.

    reading: a replica of `postgres` from which the pages read.
    """
    state = State(directory)
    state.create_directories()
    postgres.create_database(METADATA)
    pipeline, web = _make_roles(state, postgres, orders_database)
    if reading is not None:
        web = replace(web, port=reading.port)
    environment = build_airflow_environment(
        state,
        metadata_dsn=postgres.dsn(METADATA),
        orders_uri=pipeline.to_uri(),
        orders_web_uri=web.to_uri(),
        # Nothing runs here: no task ever asks the ERP.
        erp_uri="mssql://nobody@127.0.0.1:1/ERP",
        web_port=find_free_port(),
    )
    password = state.read_secret("admin_password")
    setup_log = state.logs_dir / "airflow-setup.log"
    Command("Airflow's database", ["-m", "bench.airflow_setup"], environment, setup_log, [password]).wait()
    log = state.logs_dir / "api-server.log"
    with log.open("wb") as output:
        # Without the API for tasks: there are none.
        command = [sys.executable, "-m", "airflow", "api-server", "--apps", "core"]
        server = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=output, stderr=output)
    try:
        with httpx.Client(
            base_url=environment["AIRFLOW__API__BASE_URL"], timeout=REQUEST_TIMEOUT_S, trust_env=False
        ) as browser:
            with announce("api-server"):
                _await_version(browser, server, log)
                _sign_in(browser, password, log)
            yield ApiServer(browser, psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait()


def _make_roles(state: State, postgres: EmbeddedPostgres, database: str) -> list[Connection]:
    """Return the connections of the pipeline and of the pages: a page is as fast as its role lets it be."""
    made = [roles.connect_as(role, state, postgres, database) for role in (roles.PIPELINE, roles.WEB)]
    with psycopg.connect(postgres.dsn(database)) as administrator:
        provision_orders(administrator, *(Login(connection.login, connection.password) for connection in made))
    return made


def insert_dag_runs(postgres: EmbeddedPostgres, dag_id: str, count: int) -> None:
    """Insert ended runs of a DAG into Airflow's database, five minutes apart, where there are none yet."""
    with psycopg.connect(postgres.dsn(METADATA), autocommit=True) as metadata:
        if metadata.execute("SELECT 1 FROM dag_run LIMIT 1").fetchone():
            return
        metadata.execute(
            """INSERT INTO dag_run (dag_id, run_id, state, run_type, queued_at, start_date, end_date, logical_date,
                   data_interval_start, data_interval_end, run_after, created_at, updated_at, clear_number,
                   triggered_by, log_template_id, created_dag_version_id)
               SELECT %(dag_id)s::text, 'scheduled__' || at, CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'success' END,
                   'scheduled', at, at, at + interval '4 s', at, at, at, at, at, at, 0, 'TIMETABLE',
                   (SELECT max(id) FROM log_template),
                   (SELECT id FROM dag_version WHERE dag_id = %(dag_id)s LIMIT 1)
               FROM generate_series(%(count)s, 1, -1) AS n,
                   LATERAL (SELECT date_trunc('minute', now()) - n * interval '5 min' AS at) AS due""",
            {"dag_id": dag_id, "count": count},
        )
        metadata.execute("VACUUM (ANALYZE) dag_run")


def _await_version(browser: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if browser.get("/api/v2/version").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise ApiServerError(f"The api-server does not answer; the end of {log}:\n{read_tail(log)}")


def _sign_in(browser: httpx.Client, password: str, log: Path) -> None:
    answer = browser.post("/auth/token", json={"username": USER, "password": password})
    if not answer.is_success:
        raise ApiServerError(
            f"The api-server refuses {USER} ({answer.status_code}); the end of {log}:\n{read_tail(log)}"
        )
    browser.cookies.set("_token", answer.json()["access_token"])

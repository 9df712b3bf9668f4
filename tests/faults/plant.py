"""A whole deployment for faults to strike: Airflow's processes, an ERP whose life the test decides, two PostgreSQLs.

The orders database has a server of its own, so that it can die without Airflow's metadata database. Airflow's processes
come back when they die, as under any process manager.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from sandbox import roles, source
from sandbox.airflow_environment import build_airflow_environment
from sandbox.erp.life import advance, count_open_lines
from sandbox.erp.session import connect, read_local_time
from sandbox.ports import HOST, find_free_port
from sandbox.postgres import EmbeddedPostgres
from sandbox.processes import Processes
from sandbox.progress import Command
from sandbox.state import State
from tests.first_run import FirstRun
from tests.integration.statsd_receiver import StatsdReceiver
from tests.ui.airflow_client import Airflow

DAG = "sync_open_orders"
HERE = Path(__file__).parent
ROWS, BATCHES = 600, 3
POLL_S = 0.02
# How long the locks of a killed scheduler stay when its workers hold its connection open.
IDLE_LIMIT_S = 20
START_TIMEOUT_S = 180
PROCESSES = ("api-server", "scheduler", "dag-processor")
# Airflow's time limits, each by its own setting; what we ship is longer (see docker-compose.yaml).
SHORTENED = {
    # A task whose supervisor died is found by its silence.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "8",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    # Tasks of a scheduler that died are taken over by the next one.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "OPEN_ORDERS_HEARTBEAT_S": "1",
    "OPEN_ORDERS_DEAD_AFTER_S": "60",
}
# Of the schedule only that a DAG has one, or there would be no backfills: the next run would come next month.
POLICY = """
from datetime import timedelta

from airflow.sdk.definitions.timetables.trigger import CronTriggerTimetable


def dag_policy(dag):
    dag.timetable = CronTriggerTimetable("0 0 1 * *", timezone="UTC")
    dag.max_active_runs = {max_active_runs}


def task_policy(task):
    task.retry_delay = timedelta(seconds=1)
    task.execution_timeout = timedelta(seconds=30)
"""


class Plant:
    """A running deployment, reached as its users, its readers and its faults reach it."""

    def __init__(
        self, directory: Path, first_run: FirstRun, host: str = HOST, server_settings: Mapping[str, str] | None = None
    ) -> None:
        """Begin with the Airflow, its users and its roles that `first_run` left, and with nothing else of it.

        `host` is the address of this machine at which all servers are found; the PostgreSQLs get more settings.
        """
        self.host = host
        self.state = State(directory / "state")
        first_run.copy_to(self.state.root)
        settings = {"fsync": "off", **(server_settings or {})}
        self.metadata_server = EmbeddedPostgres(self.state.postgres_dir, settings=settings)
        # On one port for good: it is stopped and started again.
        self.orders_server = EmbeddedPostgres(directory / "orders", find_free_port(), settings=settings)
        self.erp = replace(source.make_connection(self.state), host=host)
        self.airflow = Airflow(f"http://{host}:{find_free_port()}", {"admin": self.state.read_secret("admin_password")})
        self.metrics = StatsdReceiver(host)
        self.environment: dict[str, str] = {}
        self._running: list[Processes] = []
        self._random = random.Random(1207)
        self._batch_rows = ROWS // BATCHES
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as failed:
            failed.callback(self._cleanup.close)
            self._start()
            failed.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()
        self.metrics.__exit__()

    def _start(self) -> None:
        for server in (self.metadata_server, self.orders_server):
            self._cleanup.callback(server.stop, "immediate")
            server.start()
        self._forget_first_run()
        self.orders_server.create_database("orders")
        airflow = self._uri_of(roles.AIRFLOW, self.metadata_server, "airflow")
        self.environment = build_airflow_environment(
            self.state,
            metadata_dsn=airflow.replace("postgres://", "postgresql://"),
            orders_uri=self._uri_of(roles.PIPELINE, self.orders_server, "orders"),
            orders_web_uri=self._uri_of(roles.WEB, self.orders_server, "orders"),
            # As short as a stall on purpose can be told from a busy machine.
            erp_uri=replace(self.erp, extras=self.erp.extras | {"timeout": "8"}).to_uri(),
            web_port=httpx.URL(self.airflow.url).port or 0,
            host=self.host,
        )
        self.environment |= SHORTENED | self._settings()
        self.environment |= {f"AIRFLOW__METRICS__{name}": value for name, value in self.metrics.options.items()}
        self._write_policy(max_active_runs=1)
        as_administrator = dict(roles.build_administrator_environment(self.orders_server))
        self._command("open_orders.roles", "orders", **as_administrator).wait()
        migration = self._command("open_orders.migrations")
        stand_in = source.build_stand_in_environment(
            self.erp, roles.connect_as_superuser(self.metadata_server, "erp"), self.state.faults_file
        )
        self._start_processes(["sqlserver"], self.environment | {"SANDBOX_TDS_HOST": self.host} | dict(stand_in))
        source.await_login(self.erp, self.check)
        source.ensure_sample(self.erp, ROWS)
        migration.wait()
        self.execute_metadata(f"ALTER ROLE {roles.AIRFLOW} SET idle_in_transaction_session_timeout = '{IDLE_LIMIT_S}s'")
        self.execute((HERE / "breakpoints.sql").read_text())
        self._start_airflow()
        self.await_healthy()
        self.await_true(self._dag_is_known, START_TIMEOUT_S, "the DAG")
        self.call("PATCH", f"dags/{DAG}", {"is_paused": False})
        self.trigger("first")
        assert self.await_run_end("first") == "success", self.messages_of("first")
        self.await_true(lambda: not self.active_runs(), START_TIMEOUT_S, "the end of the scheduled run")

    def _forget_first_run(self) -> None:
        """Leave of the metadata server Airflow's database alone, and in that no DAG and no run."""
        self.execute_metadata("TRUNCATE dag, dag_run CASCADE")
        with psycopg.connect(self.metadata_server.dsn(), autocommit=True) as connection:
            for database in ("orders", "erp"):
                connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
        self.metadata_server.create_database("erp")

    def _settings(self) -> dict[str, str]:
        """Return more variables of Airflow's processes."""
        return {}

    def _start_airflow(self) -> None:
        self._start_processes(list(PROCESSES), self.environment)

    def _uri_of(self, role: str, server: EmbeddedPostgres, database: str) -> str:
        return replace(roles.connect_as(role, self.state, server, database), host=self.host).to_uri()

    def _write_policy(self, max_active_runs: int) -> None:
        file = self.state.airflow_home / "config" / "airflow_local_settings.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(POLICY.format(max_active_runs=max_active_runs))

    def _command(self, *arguments: str, **variables: str) -> Command:
        log = self.state.logs_dir / f"{'-'.join(arguments[:2])}.log"
        environment = self.environment | variables
        command = Command(" ".join(arguments[:3]), ["-m", *arguments], environment, log)
        self._cleanup.callback(command.stop)
        return command

    def _start_processes(self, names: list[str], environment: dict[str, str]) -> None:
        log = self.state.logs_dir / f"{names[0]}.log"
        processes = Processes(names, environment, log, self.state.processes_file, HERE / "Procfile")
        self._cleanup.callback(processes.stop)
        processes.start()
        self._running.append(processes)

    # Airflow, as its users have it

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask Airflow's REST API as admin; an answer that isn't a success fails the test."""
        token = self.airflow.token("admin")
        with self.airflow.client(headers={"authorization": f"Bearer {token}"}) as client:
            answer = client.request(method, f"/api/v2/{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def trigger(self, run_id: str, **conf: Any) -> None:
        body = {"dag_run_id": run_id, "logical_date": None, "conf": {"batch_size": self._batch_rows} | conf}
        self.call("POST", f"dags/{DAG}/dagRuns", body)

    def run_state(self, run_id: str) -> str:
        """Return queued, running, success or failed; `unknown` while Airflow does not answer."""
        try:
            return str(self.call("GET", f"dags/{DAG}/dagRuns/{run_id}")["state"])
        except httpx.TransportError:
            return "unknown"

    def await_run_end(self, run_id: str, timeout_s: float = 180) -> str:
        def ended() -> str | None:
            state = self.run_state(run_id)
            return state if state in ("success", "failed") else None

        return str(self.await_true(ended, timeout_s, f"the end of run {run_id}"))

    def active_runs(self) -> list[str]:
        runs = self.call("GET", f"dags/{DAG}/dagRuns?state=running&state=queued")["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    def allow_runs_at_a_time(self, number: int) -> None:
        """Let so many runs be active at once, whatever the DAG's file says."""
        self._write_policy(number)
        # Started anew it reads the policy.
        self.airflow_process("dag-processor").kill()
        self.await_true(
            lambda: self.call("GET", f"dags/{DAG}/details")["max_active_runs"] == number, START_TIMEOUT_S, "the policy"
        )

    def await_healthy(self) -> None:
        self.await_true(self._is_healthy, START_TIMEOUT_S, "a healthy Airflow")

    def _is_healthy(self) -> bool:
        try:
            # The part that the tasks talk to is loaded by its first request.
            with self.airflow.client() as client:
                client.get("/execution/health").raise_for_status()
                health = client.get("/api/v2/monitor/health").raise_for_status().json()
        except httpx.HTTPError:
            return False
        return all(health[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "dag_processor"))

    def _dag_is_known(self) -> bool:
        problems = self.call("GET", "importErrors")["import_errors"]
        assert problems == []
        return bool(self.call("GET", "dags?dag_id_pattern=sync")["dags"])

    # The ERP

    def change_orders(self) -> None:
        """Let orders arrive, ship and close in the ERP, which is otherwise still; it stays about as large as it was."""
        with closing(connect(self.erp)) as connection:
            advance(connection, now=read_local_time(connection), rng=self._random)
            if (count_open_lines(connection) or 0) < ROWS - 40:
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE dbo.SalesOrderLines SET Status = N'Open', QuantityShipped = 0")
                connection.commit()
            self._batch_rows = ceil((count_open_lines(connection) or ROWS) / BATCHES)

    def reprice_all_orders(self) -> None:
        with closing(connect(self.erp)) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE dbo.SalesOrderLines SET UnitPrice = UnitPrice + 1")
            connection.commit()

    def misbehave(self, faults: str | None) -> None:
        """Make the SQL Server misbehave as this JSON says, or no more."""
        if faults is None:
            self.state.faults_file.unlink(missing_ok=True)
        else:
            self.state.faults_file.write_text(faults)

    # The orders database

    @property
    def orders_dsn(self) -> str:
        return self.orders_server.dsn("orders")

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.orders_dsn, row_factory=dict_row) as connection:
            return connection.execute(statement, values or None).fetchall()

    def execute(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.orders_dsn, autocommit=True) as connection:
            connection.execute(statement, values or None)

    def execute_metadata(self, statement: str, *values: Any) -> None:
        """Change Airflow's own database."""
        with psycopg.connect(self.metadata_server.dsn("airflow")) as connection:
            connection.execute(statement, values)

    def log_of(self, run_id: str) -> dict[str, Any]:
        found = self.query("SELECT * FROM job_logs WHERE run_id = %s", run_id)
        return found[0] if found else {"status": None, "step": None}

    def messages_of(self, run_id: str) -> list[str]:
        statement = """SELECT message FROM job_log_details AS detail JOIN job_logs ON job_logs.id = job_log_id
                       WHERE run_id = %s ORDER BY detail.created_at, detail.id"""
        return [row["message"] for row in self.query(statement, run_id)]

    # The processes

    def airflow_process(self, name: str) -> psutil.Process:
        """Return the process that is Airflow's `scheduler`, `api-server` or `dag-processor`, not those it started."""
        # It gives itself a title once it is up.
        titles = (f"python -m airflow {name}", f"airflow {name.replace('-', '_')} -- ")
        for process in self.processes():
            # Its forks have its title; those that outlived it have no parent of ours.
            if _title(process).startswith(titles) and "while true" in _title_of_parent(process):
                return process
        raise LookupError(f"No process {name}")

    def airflow_processes(self) -> list[psutil.Process]:
        """Return all of Airflow's processes, tasks and their supervisors included."""
        return [process for process in self.processes() if "airflow" in _title(process).split(" -- ")[0].split()[:4]]

    def tasks(self) -> list[psutil.Process]:
        """Return the processes that run task code now; the parent of each is its supervisor."""
        return [process for process in self.processes() if _is_task(process)]

    def processes(self) -> list[psutil.Process]:
        """Return everything that Airflow's process manager started, and what a killed process left behind."""
        return self._running[-1].list_members()

    def recover(self) -> None:
        """Put right what a failed test left: everything runs, nothing misbehaves, no run is under way."""
        self.orders_server.start()
        self.misbehave(None)
        self.execute("DELETE FROM faults.breakpoints")
        for task in self.tasks():
            task.resume()
        self.await_healthy()
        for run in self.active_runs():
            self.call("PATCH", f"dags/{DAG}/dagRuns/{run}", {"state": "failed"})

    def check(self) -> None:
        for processes in self._running:
            processes.check()

    def await_true(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.check()
            if found := condition():
                return found
            time.sleep(POLL_S)
        pytest.fail(f"{what} did not come within {timeout_s} s")


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.NoSuchProcess:
        return ""


def _title_of_parent(process: psutil.Process) -> str:
    """Return '' also for a process that ends while it is looked at."""
    try:
        parent = process.parent()
    except psutil.NoSuchProcess:
        return ""
    return _title(parent) if parent else ""


def _is_task(process: psutil.Process) -> bool:
    title = _title(process)
    prefix = "airflow worker -- "
    return title.startswith(prefix) and len(title) == len(prefix) + 36

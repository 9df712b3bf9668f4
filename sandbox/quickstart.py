"""The quickstart: everything up in order, one run watched, everything down in reverse order."""

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import roles, source
from sandbox.airflow_api import AirflowApi
from sandbox.airflow_environment import build_airflow_environment, leave_to_api_server
from sandbox.command_line import remember_environment
from sandbox.connections import Connection, parse_connection
from sandbox.first_run import show_first_run
from sandbox.interrupts import ignore_interrupts
from sandbox.job_log import Outcome
from sandbox.ports import HOST, PortTakenError, check_port
from sandbox.postgres import EmbeddedPostgres, stop_leftovers
from sandbox.processes import Processes, stop_recorded
from sandbox.progress import Command, announce, say
from sandbox.state import REPOSITORY, State

ADMIN = "admin"
API_SERVER = "api-server"
PIPELINE_PROCESSES = ("scheduler", "dag-processor", "triggerer", "history")
HEALTHY_TIMEOUT_S = 120.0
WATCH_S = 0.5


class StartError(Exception):
    """The quickstart cannot start; the message says what to do."""


@dataclass(frozen=True)
class Options:
    """What the command line asked for.

    rows: open order lines of a new sample ERP; None for the default.
    faults: how the stand-in misbehaves during this start.
    dags_dir: the folder of DAG files.
    """

    once: bool = False
    rows: int | None = None
    port: int = 8080
    reset: bool = False
    faults: Mapping[str, Any] = field(default_factory=dict)
    dags_dir: Path = REPOSITORY / "dags"


@dataclass(frozen=True)
class Running:
    """What is up: Airflow, with its environment, and the two databases' connections."""

    api: AirflowApi
    environment: Mapping[str, str]
    orders: Connection
    erp: Connection


class Quickstart:
    """One start on a state directory that is already locked."""

    def __init__(self, options: Options, state: State) -> None:
        self._options = options
        self._state = state
        self._own_erp = _read_own_connection("AIRFLOW_CONN_ERP_MSSQL", 1433)
        self._own_orders = _read_own_connection("AIRFLOW_CONN_ORDERS_DB", 5432)
        self._own_orders_web = _read_own_connection("AIRFLOW_CONN_ORDERS_DB_WEB", 5432)
        self._running: list[Processes] = []
        if self._own_erp and (options.faults or options.rows is not None):
            raise StartError(
                "--fault and --rows concern the sandbox's own source, but AIRFLOW_CONN_ERP_MSSQL names yours "
                f"({self._own_erp}); unset it, or leave the options out."
            )
        if self._own_orders_web and not self._own_orders:
            raise StartError(
                "AIRFLOW_CONN_ORDERS_DB_WEB is for reading an orders database of your own: set AIRFLOW_CONN_ORDERS_DB "
                "to it, too, or unset both."
            )

    def run(self) -> Outcome:
        """Bring everything up, watch one run, return its outcome; without --once, stay until interrupted."""
        with ExitStack() as cleanup:
            try:
                return self._run(cleanup)
            finally:
                ignore_interrupts()
                say("  … Stopping")
                for processes in self._running:
                    processes.request_stop()

    def _run(self, cleanup: ExitStack) -> Outcome:
        running = self.start(cleanup)
        outcome = show_first_run(
            running.api,
            running.environment,
            running.orders.to_conninfo(),
            self._state.logs_dir,
            lambda: self._change_source(running.erp),
        )
        if not self._options.once:
            self._stay(running.orders)
        return outcome

    def start(self, cleanup: ExitStack) -> Running:
        """Bring everything up; `cleanup` brings it down."""
        self._clear_the_way(cleanup)
        postgres = self._start_postgres(cleanup)
        # As the pipeline's role, also to follow the first run: what the quickstart shows works with its rights.
        orders = self._own_orders or roles.connect_as(roles.PIPELINE, self._state, postgres, "orders")
        erp = self._own_erp or source.make_connection(self._state)
        environment = self._build_environment(postgres, orders, erp)
        self._prepare(cleanup, postgres, erp, environment)
        return Running(self._start_airflow(cleanup, environment), environment, orders, erp)

    def _clear_the_way(self, cleanup: ExitStack) -> None:
        stopped = stop_recorded(self._state.processes_file) + len(stop_leftovers(self._state.postgres_dir))
        if stopped:
            say(f"  ✓ Stopped {stopped} processes that a crashed start had left")
        cleanup.callback(self._state.processes_file.unlink, missing_ok=True)
        if self._options.reset:
            removed = self._state.reset()
            say(f"  ✓ Removed from {self._state.root}: {', '.join(removed) or 'nothing, it was empty'}")
        self._state.create_directories()
        self._state.faults_file.unlink(missing_ok=True)
        try:
            check_port(self._options.port)
        except PortTakenError as error:
            raise StartError(f"The web UI cannot start. {error} For example: --port 8081") from error

    def _start_postgres(self, cleanup: ExitStack) -> EmbeddedPostgres:
        with announce("PostgreSQL"):
            postgres = EmbeddedPostgres(self._state.postgres_dir, port=self._state.choose_port("postgres"))
            cleanup.callback(postgres.stop)
            postgres.start()
            for name, own in (("airflow", None), ("orders", self._own_orders), ("erp", self._own_erp)):
                if own is None:
                    postgres.create_database(name)
        return postgres

    def _build_environment(self, postgres: EmbeddedPostgres, orders: Connection, erp: Connection) -> dict[str, str]:
        for name, own in (("SQL Server", self._own_erp), ("orders database", self._own_orders)):
            if own is not None:
                say(f"  ✓ Using your {name}: {own}")
        if self._own_orders:
            # As they were given, extras and all.
            orders_uri, web_uri = (os.environ.get(f"AIRFLOW_CONN_ORDERS_DB{end}", "") for end in ("", "_WEB"))
        else:
            orders_uri = orders.to_uri()
            web_uri = roles.connect_as(roles.WEB, self._state, postgres, "orders").to_uri()
        metadata = roles.connect_as(roles.AIRFLOW, self._state, postgres, "airflow")
        environment = build_airflow_environment(
            self._state,
            metadata_dsn=metadata.to_uri().replace("postgres://", "postgresql://", 1),
            orders_uri=orders_uri,
            orders_web_uri=web_uri,
            erp_uri=os.environ["AIRFLOW_CONN_ERP_MSSQL"] if self._own_erp else erp.to_uri(),
            web_port=self._options.port,
            dags_dir=self._options.dags_dir,
        )
        remember_environment(self._state, environment)
        return environment

    def _prepare(
        self, cleanup: ExitStack, postgres: EmbeddedPostgres, erp: Connection, environment: Mapping[str, str]
    ) -> None:
        """Make roles and migrate both databases; meanwhile the stand-in comes up and a new sample ERP is filled."""

        def run(doing: str, log: str, *arguments: str, answers: Sequence[str] = (), **variables: str) -> Command:
            log_file = self._state.logs_dir / log
            command = Command(doing, ["-m", *arguments], {**environment, **variables}, log_file, answers)
            cleanup.callback(command.stop)
            return command

        databases = ["airflow"] if self._own_orders else ["airflow", "orders"]
        fingerprint = _fingerprint(self._state, databases)
        is_migrated = _read_text(self._state.migrated_file) == fingerprint
        if not is_migrated:
            as_administrator = roles.build_administrator_environment(postgres)
            makers = [
                run(f"Roles of the database {name}", f"roles-{name}.log", "open_orders.roles", name, **as_administrator)
                for name in databases
            ]
            for maker in makers:
                maker.wait()
        migrations = [run("Orders database migrated", "migrate.log", "open_orders.migrations", "upgrade")]
        if not is_migrated:
            migrations.append(run("Airflow's database migrated", "airflow-migrate.log", "airflow", "db", "migrate"))
        if self._own_erp is None:
            self._start_stand_in(cleanup, postgres, erp, environment)
            source.ensure_sample(erp, self._options.rows)
        for migration in migrations:
            migration.wait()
        if not is_migrated:
            arguments = ["airflow", "users", "create", "--username", ADMIN, "--role", "Admin"]
            arguments += ["--firstname", "Sandbox", "--lastname", "Admin", "--email", "admin@example.com"]
            # The command asks for the password twice; on the command line everybody could read it.
            answers = [self._state.read_secret("admin_password")] * 2
            run(f"User {ADMIN} created", "airflow-user.log", *arguments, answers=answers).wait()
            run("Permissions given", "permissions.log", "open_orders.web.permissions").wait()
            self._state.migrated_file.write_text(fingerprint)

    def _start_stand_in(
        self, cleanup: ExitStack, postgres: EmbeddedPostgres, erp: Connection, environment: Mapping[str, str]
    ) -> None:
        with announce(f"Stand-in SQL Server on {erp}"):
            behind = roles.connect_as_superuser(postgres, "erp")
            variables = source.build_stand_in_environment(erp, behind, self._state.faults_file)
            self._start_processes(cleanup, ["sqlserver"], {**environment, **variables}, "sqlserver.log")
            source.await_login(erp, self._check)

    def _start_airflow(self, cleanup: ExitStack, environment: Mapping[str, str]) -> AirflowApi:
        with announce(f"Airflow: {', '.join([API_SERVER, *PIPELINE_PROCESSES])}"):
            # A sample ERP could not talk to a stand-in that misbehaves either.
            lives = self._own_erp is None and not self._options.faults
            names = [*PIPELINE_PROCESSES, "erp"] if lives else PIPELINE_PROCESSES
            self._start_processes(cleanup, [API_SERVER], leave_to_api_server(environment), "processes.log")
            self._start_processes(cleanup, names, environment, "processes.log")
            password = self._state.read_secret("admin_password")
            api = AirflowApi(f"http://{HOST}:{self._options.port}", ADMIN, password, self._check)
            api.await_healthy(HEALTHY_TIMEOUT_S)
        return api

    def _start_processes(
        self, cleanup: ExitStack, names: Sequence[str], environment: Mapping[str, str], log: str
    ) -> None:
        processes = Processes(names, environment, self._state.logs_dir / log, self._state.processes_file)
        cleanup.callback(processes.stop)
        processes.start()
        self._running.append(processes)

    def _check(self) -> None:
        for processes in self._running:
            processes.check()

    def _change_source(self, erp: Connection) -> None:
        if self._own_erp is None:
            say(f"  ✓ In the sample ERP meanwhile: {source.let_time_pass(erp)}")
        if self._options.faults:
            self._state.faults_file.write_text(json.dumps(self._options.faults))
            say(f"  ✓ The stand-in misbehaves from now on: {json.dumps(self._options.faults)}")

    def _stay(self, orders: Connection) -> None:
        secret = self._state.secret_file("admin_password")
        say(f"  Airflow          http://{HOST}:{self._options.port}")
        say(f"  User, password   {ADMIN}, {self._state.read_secret('admin_password')}   (kept in {secret})")
        say(f"  Orders database  {orders}, user {orders.login}")
        say(f"  Logs             {self._state.logs_dir}")
        say("  Another terminal  bin/airflow is Airflow's command line for this sandbox, bin/orders is psql")
        say("                    bin/check says whether all is as it should be")
        say("\n  A new run comes every five minutes. Ctrl-C stops everything.\n")
        try:
            while True:
                self._check()
                time.sleep(WATCH_S)
        except KeyboardInterrupt:
            return


def _fingerprint(state: State, databases: Sequence[str]) -> str:
    """Return what changes with the version of Airflow, with our permissions and roles, or with the databases."""
    files = (REPOSITORY / "requirements-dev.txt", REPOSITORY / "plugins" / "open_orders" / "web" / "permissions.py")
    content = [file.read_bytes() for file in files] + [roles.read_sources()]
    digest = hashlib.sha256(b"".join(content)).hexdigest()
    return f"{digest} {' '.join(databases)} {(state.postgres_dir / 'PG_VERSION').stat().st_mtime_ns}"


def _read_own_connection(variable: str, default_port: int) -> Connection | None:
    value = os.environ.get(variable)
    return parse_connection(variable, value, default_port) if value else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""

"""Put a running sandbox into the state that a walk-through begins with, and back: tests_manual/prepare."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from psycopg.rows import dict_row

from open_orders.job_names import candidate_names
from sandbox.airflow_api import AirflowApi
from sandbox.command_line import read_environment
from sandbox.connections import parse_connection
from sandbox.source import parse_faults
from tests_manual.routes import Address, ask_all

DESCRIPTION = """\
Put the sandbox that bin/quickstart runs into the state that a walk-through begins with. It needs a quickstart that
runs in another terminal; `undo` takes everything back."""
# What belongs to the walk-throughs, so that `undo` finds it.
JOB = "walk-through"
SYNC = "sync_open_orders"
# Name and role.
USERS = (("walker_viewer", "Open Orders Viewer"), ("walker_nobody", "Public"))
WORDS = ("new", "processing", "success", "error")
NEW, PROCESSING, SUCCESS, ERROR = range(4)
WAIT_S = 600.0
# A step gives up a lock after 15 s.
HELD_S = {"new": 10.0, "processing": 8.0}
NAMES_TAKEN_FOR_S = 90


class Sandbox:
    """The running quickstart, as its owner reaches it."""

    def __init__(self) -> None:
        self.state, remembered = read_environment()
        self.environment = {**os.environ, **remembered}
        self.url = self.environment["AIRFLOW__API__BASE_URL"]

    @contextmanager
    def orders(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """Yield a session on the orders database, in autocommit mode."""
        address = parse_connection("AIRFLOW_CONN_ORDERS_DB", self.environment["AIRFLOW_CONN_ORDERS_DB"], 5432)
        with psycopg.connect(address.to_conninfo(), autocommit=True, row_factory=dict_row) as connection:
            yield connection

    def airflow(self, *arguments: str) -> None:
        """Run Airflow's command line; raises CalledProcessError with what it said."""
        command = [sys.executable, "-m", "airflow", *arguments]
        try:
            subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            print(error.stdout, error.stderr, file=sys.stderr)
            raise

    def trigger(self, configuration: dict[str, Any] | None = None) -> str:
        """Start a run of the sync and return its id."""
        run_id = f"walk-through_{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
        self.airflow("dags", "trigger", SYNC, "--run-id", run_id, "-c", json.dumps(configuration or {}))
        return run_id

    def await_quiet(self) -> None:
        """Return when no run of the sync is at work and the next scheduled one is a minute away."""
        api = AirflowApi(self.url, "admin", self.state.read_secret("admin_password"), lambda: None)
        api.await_quiet(SYNC, timedelta(seconds=60), WAIT_S)

    def await_log(self, run_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the run's job log once it is as the condition wants it, telling each status on the way."""
        deadline = time.monotonic() + WAIT_S
        told = None
        with self.orders() as orders:
            while time.monotonic() < deadline:
                log = orders.execute("SELECT * FROM job_logs WHERE run_id = %s", [run_id]).fetchone()
                if log is not None:
                    if log["status"] != told:
                        told = log["status"]
                        print(f"  {datetime.now(UTC):%H:%M:%S}  {log['name']} is {WORDS[log['status']]}", flush=True)
                    if condition(log):
                        return log
                time.sleep(0.05)
        raise SystemExit(f"The run {run_id!r} did not come that far within {WAIT_S:.0f} s: see the job logs")


def make_logs(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """Add job logs, one a second until now; every tenth has failed, each has five messages."""
    with sandbox.orders() as orders, orders.transaction():
        now = datetime.now(UTC)
        for number in range(options.count):
            at = now - timedelta(seconds=options.count - number)
            names = candidate_names(at)
            while not _insert_log(orders, next(names), at, failed=number % 10 == 9):
                pass
    print(f"{options.count} job logs of the job {JOB!r} were added.")


def _insert_log(orders: psycopg.Connection[Any], name: str, at: datetime, *, failed: bool = False) -> bool:
    """Add a log with its messages; returns False when the name is taken."""
    row = orders.execute(
        """INSERT INTO job_logs (name, job_name, dag_id, run_id, trigger, status, started_at, completed_at,
                                 heartbeat_at, created_at, step, error_summary)
           VALUES (%(name)s, %(job)s, %(job)s, %(name)s, 'manual', %(status)s, %(at)s, %(end)s, %(end)s, %(at)s,
                   'work', %(error)s)
           ON CONFLICT DO NOTHING RETURNING id""",
        {
            "name": name,
            "job": JOB,
            "status": ERROR if failed else SUCCESS,
            "at": at,
            "end": at + timedelta(milliseconds=800),
            "error": "work: the walk-through wants an error here" if failed else None,
        },
    ).fetchone()
    if row is None:
        return False
    said = ["Job started - walk-through (manual)", "First message", "Second message", "Third message"]
    said.append("Attempt 1 of 1 failed: the walk-through wants an error here" if failed else "Job finished in 0.8 s")
    for number, message in enumerate(said):
        level = "error" if failed and number == len(said) - 1 else "info"
        orders.execute(
            """INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message, created_at)
               VALUES (%s, %s, 'work', 1, %s, %s)""",
            [row["id"], level, message, at + timedelta(milliseconds=150 * number)],
        )
    return True


def misbehave(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """Let the stand-in SQL Server misbehave from its next login or batch on."""
    faults = parse_faults(options.fault)
    sandbox.state.faults_file.write_text(json.dumps(faults))
    print(f"From now on: {', '.join(f'{name}={value}' for name, value in faults.items())}")


def hold(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """Trigger a run and hold it for some seconds while its job log is new, or processing."""
    statement = {
        # What only one opener of a job's log may have, and what the step truncate needs.
        "new": f"SELECT pg_advisory_xact_lock(hashtextextended('job_logs {SYNC}', 0))",
        "processing": "LOCK TABLE open_orders_staging IN ACCESS SHARE MODE",
    }[options.status]
    sandbox.await_quiet()
    with sandbox.orders() as orders:
        with orders.transaction():
            orders.execute(statement)
            run_id = sandbox.trigger()
            step = None if options.status == "new" else "truncate"
            sandbox.await_log(run_id, lambda log: WORDS[log["status"]] == options.status and log["step"] == step)
            print(f"  held for {HELD_S[options.status]:.0f} s: look at it now", flush=True)
            time.sleep(HELD_S[options.status])
        print("  let go", flush=True)
    sandbox.await_log(run_id, lambda log: log["status"] in (SUCCESS, ERROR))


def run_in_batches(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """Trigger a run in small batches, whose progress can be watched."""
    sandbox.await_quiet()
    run_id = sandbox.trigger({"batch_size": options.size})
    log = sandbox.await_log(run_id, lambda log: log["status"] == PROCESSING)
    print(f"{sandbox.url}/job_logs/{log['name']}")
    sandbox.await_log(run_id, lambda log: log["status"] in (SUCCESS, ERROR))


def collide(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """Take the names of the next seconds, and trigger a run, which then has to find another one."""
    sandbox.await_quiet()
    with sandbox.orders() as orders, orders.transaction():
        now = datetime.now(UTC)
        for second in range(NAMES_TAKEN_FOR_S):
            at = now + timedelta(seconds=second)
            for name in islice(candidate_names(at), options.taken):
                _insert_log(orders, name, at)
    try:
        run_id = sandbox.trigger()
        log = sandbox.await_log(run_id, lambda log: log["status"] in (SUCCESS, ERROR))
    finally:
        _delete_logs(sandbox)
    print(f"Names that were taken in each second: {options.taken}.")
    print(f"The run's log has the name {log['name']} and is {WORDS[log['status']]}.")


def make_users(sandbox: Sandbox, _options: argparse.Namespace) -> None:
    """Add a user who may read the pages and nothing else, and one who may do nothing."""
    for name, role in USERS:
        password = sandbox.state.read_secret(name)
        person = ["--firstname", "Walk", "--lastname", "Through", "--email", f"{name}@example.com"]
        sandbox.airflow("users", "create", "--username", name, "--role", role, "--password", password, *person)
        print(f"{name} with the role {role}, password {password}")


def ask_routes(sandbox: Sandbox, _options: argparse.Namespace) -> None:
    """Ask every route as nobody, with a wrong password, and as admin, with HTTP Basic; exits with 1 if one is wrong."""
    with sandbox.orders() as orders:
        row = orders.execute("SELECT name FROM job_logs ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        raise SystemExit("There is no job log yet: wait for the first run")
    address = Address(sandbox.url, row["name"], sandbox.state.read_secret("admin_password"))
    wrong = 0
    for answer in ask_all(address):
        wrong += not answer.is_right
        print(f"{'ok   ' if answer.is_right else 'WRONG'}  {answer.status}  {answer.who:<14}  {answer.path}")
    print(f"{wrong} wrong answers")
    if wrong:
        raise SystemExit(1)


def undo(sandbox: Sandbox, _options: argparse.Namespace) -> None:
    """Take back what the other commands did: job logs, misbehaviour, users. Runs of the sync stay."""
    print(f"{_delete_logs(sandbox)} job logs of the job {JOB!r} removed")
    with suppress(FileNotFoundError):
        sandbox.state.faults_file.unlink()
        print("The stand-in behaves again")
    for name, _role in USERS:
        file = sandbox.state.secret_file(name)
        if file.exists():
            sandbox.airflow("users", "delete", "--username", name)
            file.unlink()
            print(f"User {name} removed")


def _delete_logs(sandbox: Sandbox) -> int:
    with sandbox.orders() as orders:
        return orders.execute("DELETE FROM job_logs WHERE job_name = %s", [JOB]).rowcount


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="tests_manual/prepare", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Callable[[Sandbox, argparse.Namespace], None]) -> argparse.ArgumentParser:
        says = (function.__doc__ or "").strip()
        command = commands.add_parser(name, help=says, description=says)
        command.set_defaults(function=function)
        return command

    add("logs", make_logs).add_argument("count", type=int, choices=range(1, 1001), metavar="COUNT")
    add("fault", misbehave).add_argument("fault", nargs="+", metavar="NAME[=VALUE]", help="see sandbox/tds/README.md")
    add("hold", hold).add_argument("status", choices=HELD_S)
    add("batches", run_in_batches).add_argument("size", type=int, nargs="?", default=25, metavar="SIZE")
    taken = "how many names of each second are taken; with 2 the run's name ends in _2"
    add("collision", collide).add_argument("taken", type=int, nargs="?", default=1, choices=(1, 2, 3), help=taken)
    add("users", make_users)
    add("routes", ask_routes)
    add("undo", undo)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = parse(arguments)
    options.function(Sandbox(), options)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Airflow's command line, psql and bin/check for a sandbox that runs, from another terminal.

bin/airflow dags trigger sync_open_orders
bin/orders -c 'SELECT name, status FROM job_logs ORDER BY id DESC LIMIT 5'
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from sandbox.connections import parse_connection
from sandbox.postgres import BINARIES, find_binary
from sandbox.state import REPOSITORY, State, find_state_root


def remember_environment(state: State, environment: Mapping[str, str]) -> None:
    """Keep what makes a process one of this sandbox's, for its owner only: it holds passwords."""
    kept = {
        name: value
        for name, value in environment.items()
        if name.startswith(("AIRFLOW", "OPEN_ORDERS_", "PYTHON")) or name.lower() == "no_proxy"
    }
    state.environment_file.touch(mode=0o600)
    state.environment_file.write_text(json.dumps(kept))


def read_environment() -> tuple[State, dict[str, str]]:
    """Return the sandbox's state and what was remembered; exits with 3 when there is no sandbox."""
    state = State(find_state_root())
    try:
        return state, json.loads(state.environment_file.read_text())
    except FileNotFoundError:
        print(f"There is no sandbox in {state.root}: start one with bin/quickstart", file=sys.stderr)
        sys.exit(3)


def main(program: str, arguments: list[str]) -> NoReturn:
    """Become `airflow` or `psql` in the sandbox's environment; exits with 3 when there is no sandbox.

    `check` is also of use without one: for the deployment that the environment describes.
    """
    if program == "check":
        _check(arguments)
    _, remembered = read_environment()
    environment = {**os.environ, **remembered}
    if program == "airflow":
        os.execvpe(sys.executable, [sys.executable, "-m", "airflow", *arguments], environment)
    orders = parse_connection("AIRFLOW_CONN_ORDERS_DB", environment["AIRFLOW_CONN_ORDERS_DB"], 5432)
    # In a file or on the command line others could read the password.
    address, environment["PGPASSWORD"] = orders.to_conninfo(with_password=False), orders.password
    psql = str(find_binary(max(BINARIES), "psql"))
    os.execvpe(psql, [psql, "--dbname", address, *arguments], environment)


def _check(arguments: list[str]) -> NoReturn:
    state = State(find_state_root())
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "plugins")}
    if state.environment_file.exists() and not os.environ.get("AIRFLOW_CONN_ORDERS_DB"):
        _, remembered = read_environment()
        environment |= remembered
        print(f"Sandbox {state.root}", flush=True)
    os.execvpe(sys.executable, [sys.executable, "-m", "open_orders.check", *arguments], environment)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

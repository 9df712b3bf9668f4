"""The environment of every Airflow process in the sandbox and in the end-to-end tests."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox.ports import HOST
from sandbox.state import REPOSITORY, State, make_fernet_key, make_signing_key

# The beginnings of warnings that concern Airflow's own code and that a user of the sandbox can do nothing about
# (Airflow 3.3: fastapi's test client and WSGI middleware, Flask-AppBuilder's rate limiter, the CLI's graph).
KNOWN_WARNINGS = (
    "Using `httpx` with `starlette.testclient`",
    "starlette.middleware.wsgi is deprecated",
    "Using the in-memory storage for tracking rate limits",
    "Could not import graphviz",
)


def build_airflow_environment(
    state: State,
    *,
    metadata_dsn: str,
    orders_uri: str,
    orders_web_uri: str = "",
    erp_uri: str,
    web_port: int,
    host: str = HOST,
    dags_dir: Path = REPOSITORY / "dags",
    base: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the environment variables for `python -m airflow …`.

    Args:
        state: keeps AIRFLOW_HOME, logs and the generated keys.
        metadata_dsn: Airflow's own database, `postgresql://…`.
        orders_uri: value of AIRFLOW_CONN_ORDERS_DB.
        orders_web_uri: value of AIRFLOW_CONN_ORDERS_DB_WEB; without one the pages use orders_uri.
        erp_uri: value of AIRFLOW_CONN_ERP_MSSQL.
        web_port: where the api-server listens and the tasks find it.
        host: the address of that.
        dags_dir: the folder of DAG files.
        base: what the processes inherit, except settings of another Airflow.
    """
    inherited = {
        name: value
        for name, value in base.items()
        if not name.startswith("AIRFLOW__")
        and name not in ("AIRFLOW_HOME", "AIRFLOW_CONFIG", "AIRFLOW_CONN_ORDERS_DB_WEB")
    }
    options = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, values in _build_options(state, metadata_dsn, host, web_port, dags_dir).items()
        for name, value in values.items()
    }
    # Tasks reach the api-server over HTTP on this host, which is no business of a company's proxy.
    no_proxy = ",".join(filter(None, [base.get("NO_PROXY", base.get("no_proxy", "")), host, "localhost"]))
    return (
        inherited
        | options
        | {
            "AIRFLOW_HOME": str(state.airflow_home),
            "AIRFLOW_CONN_ORDERS_DB": orders_uri,
            **({"AIRFLOW_CONN_ORDERS_DB_WEB": orders_web_uri} if orders_web_uri else {}),
            "AIRFLOW_CONN_ERP_MSSQL": erp_uri,
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), base.get("PATH", os.defpath)]),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "plugins"), str(REPOSITORY)]),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": ",".join(f"ignore:{message}" for message in KNOWN_WARNINGS),
        }
    )


def leave_to_api_server(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the connections that only tasks and callbacks need.

    Without a connection of their own the pages use the pipeline's.
    """
    unneeded = {"AIRFLOW_CONN_ERP_MSSQL"}
    if "AIRFLOW_CONN_ORDERS_DB_WEB" in environment:
        unneeded.add("AIRFLOW_CONN_ORDERS_DB")
    return {name: value for name, value in environment.items() if name not in unneeded}


def _build_options(
    state: State, metadata_dsn: str, host: str, web_port: int, dags_dir: Path
) -> dict[str, dict[str, object]]:
    web_url = f"http://{host}:{web_port}"
    log_dir = state.logs_dir / "airflow"
    return {
        "core": {
            "dags_folder": dags_dir,
            "plugins_folder": REPOSITORY / "plugins",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 4,
            "auth_manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "execution_api_server_url": f"{web_url}/execution/",
            "fernet_key": state.read_secret("fernet_key", make_fernet_key),
            # The default asks DNS for the fully qualified name, which takes seconds on a machine without one.
            "hostname_callable": "socket.gethostname",
        },
        "database": {"sql_alchemy_conn": metadata_dsn.replace("postgresql://", "postgresql+psycopg2://", 1)},
        "logging": {
            "base_log_folder": log_dir,
            "dag_processor_child_process_log_directory": log_dir / "dag_processor",
            "colored_console_log": False,
            # Flask-AppBuilder warns that Airflow's own use of it is deprecated.
            "fab_logging_level": "ERROR",
        },
        "api": {
            "base_url": web_url,
            "host": host,
            "port": web_port,
            "workers": 1,
            "secret_key": state.read_secret("api_secret_key", make_signing_key),
        },
        "api_auth": {"jwt_secret": state.read_secret("jwt_secret", make_signing_key)},
        "scheduler": {
            # The default of 1 s is most of a five-task run's time.
            "scheduler_idle_sleep_time": 0.1,
            # The default of 300 s is as long as the interval between two runs.
            "task_instance_heartbeat_timeout": 60,
            # What a scheduler that died left running is otherwise found at a restart or every 300 s: a restart that
            # comes before the old one counts as dead would block the sync for a whole interval.
            "orphaned_tasks_check_interval": 30,
        },
        # A task's end often goes unnoticed until the next heartbeat, and holds a place for tasks till then.
        "workers": {"min_heartbeat_interval": 1},
        "dag_processor": {"refresh_interval": 30, "parsing_processes": 1},
    }

"""Where a command that is no task of Airflow's finds its connections."""

from __future__ import annotations

import os


def read_airflows_own_store() -> None:
    """Have connections that no environment variable holds read from Airflow's database, as its own processes do.

    Airflow 3 leaves that store out for every process that does not say what it is; nothing but this variable tells it
    (airflow.sdk.execution_time.supervisor.ensure_secrets_backend_loaded). To be called before Airflow is asked.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")

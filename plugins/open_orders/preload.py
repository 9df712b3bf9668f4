"""Import what the steps need once, before Airflow forks the processes that run them.

A task of the LocalExecutor runs in a fork of the scheduler, a callback in one of the dag-processor: what these have
imported the forks need not import again, which would be most of the time that a short step takes. A worker of another
executor imports it in each task as before. Airflow calls `on_starting` when one of its long-running processes starts,
before any fork, and also in each task, which knows by itself what it needs.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from airflow.listeners import hookimpl

MODULES = (
    # What a task's process runs first of all, and what of Airflow it imports later.
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.bundles.local",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.timeout",
    "jinja2.ext",
    "airflow.providers.microsoft.mssql.hooks.mssql",
    "open_orders.dead_mans_ping",
    "open_orders.execution",
    "open_orders.sync",
    "open_orders.sync_dag",
)
SCHEDULER = "airflow.jobs.scheduler_job_runner"


@hookimpl
def on_starting(component: object) -> None:
    """Import them, unless a task starts."""
    # By name: Airflow's class of long-running processes is nothing that a task should import.
    if type(component).__name__ != "Job":
        return
    for module in MODULES:
        import_module(module)
    if _forks_tasks():
        load_driver()


def _forks_tasks() -> bool:
    """Return whether this is a scheduler whose tasks are its forks; the others need no driver of the source."""
    from airflow.configuration import conf

    return SCHEDULER in sys.modules and "LocalExecutor" in conf.get("core", "executor")


def load_driver() -> None:
    """Load what usually reads from the ERP, without starting a thread: a fork would lack it, and wait for it."""
    from open_orders import source_mssql_python

    # As pyarrow is loaded, its copy of jemalloc, which nothing uses, would start one.
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    # Loads the driver's library too. Its threads begin with the first connection.
    if source_mssql_python.what_is_missing() is None:
        import_module("open_orders.landing_arrow")

"""Import what the steps need once, before Airflow forks the processes that run them.

A task of the LocalExecutor runs in a fork of the scheduler, a callback in one of the dag-processor: what these have
imported the forks need not import again, which would be most of the time that a short step takes. A worker of another
executor imports it in each task as before. Airflow calls `on_starting` when one of its long-running processes starts,
before any fork, and also in each task, which knows by itself what it needs.
"""

from __future__ import annotations

from importlib import import_module

from airflow.listeners import hookimpl

MODULES = (
    # What a task's process runs first of all.
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.microsoft.mssql.hooks.mssql",
    "open_orders.execution",
    "open_orders.sync",
    "open_orders.sync_dag",
)


@hookimpl
def on_starting(component: object) -> None:
    """Import them, unless a task starts."""
    # By name: Airflow's class of long-running processes is nothing that a task should import.
    if type(component).__name__ == "Job":
        for module in MODULES:
            import_module(module)

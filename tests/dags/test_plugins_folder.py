from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from open_orders.preload import SCHEDULER

ROOT = Path(__file__).parents[2]

LOAD = """
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
print(plugins_manager.get_import_errors())
import sys
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print([name for name, file in files.items() if file.startswith(sys.argv[1]) and not name.startswith("open_orders")])
"""


def test_plugin_loader_leaves_the_package_alone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(ROOT / "plugins" / "open_orders")],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-2:] == ["{}", "[]"]


START = """
import json, os, sys
from importlib import import_module
from airflow.jobs.job import Job
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker
from airflow.sdk.listener import get_listener_manager

# Deployments have none: the bench draws with it. It starts threads, too, which it ends before a fork by itself.
sys.modules["numpy"] = None

def shows(): return [name for name in ("open_orders.sync", "mssql_python", "pyarrow") if name in sys.modules]

for module in sys.argv[1:]:
    import_module(module)
found = [shows()]
get_listener_manager().hook.on_starting(component=TaskRunnerMarker())
found.append(shows())
threads = len(os.listdir("/proc/self/task"))
Job()
found.append(shows())
print(json.dumps({"found": found, "threads": len(os.listdir("/proc/self/task")) - threads}))
"""


def start(*modules: str, executor: str = "LocalExecutor") -> Any:
    """Return what is imported at first, when a task starts and when a process starts that has imported `modules`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "AIRFLOW__CORE__EXECUTOR": executor}
    done = subprocess.run(
        [sys.executable, "-c", START, *modules], capture_output=True, text=True, env=environment, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_what_steps_import_is_there_before_airflow_forks_and_no_task_pays_for_it() -> None:
    assert start()["found"] == [[], [], ["open_orders.sync"]]


def test_scheduler_whose_tasks_are_forks_loads_the_driver_and_starts_no_thread_that_they_would_lack() -> None:
    assert start(SCHEDULER) == {"found": [[], [], ["open_orders.sync", "mssql_python", "pyarrow"]], "threads": 0}


def test_scheduler_of_tasks_elsewhere_needs_no_driver() -> None:
    assert start(SCHEDULER, executor="CeleryExecutor")["found"][-1] == ["open_orders.sync"]

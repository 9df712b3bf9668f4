from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
import sys
from airflow.jobs.job import Job
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker
from airflow.sdk.listener import get_listener_manager

def shows(): return "open_orders.sync" in sys.modules

found = [shows()]
get_listener_manager().hook.on_starting(component=TaskRunnerMarker())
found.append(shows())
Job()
found.append(shows())
print(found)
"""


def test_what_steps_import_is_there_before_airflow_forks_and_no_task_pays_for_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, env=environment, check=True
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[False, False, True]"

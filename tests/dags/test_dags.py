from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError

from open_orders.settings import load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture
def sync(dags: dict[str, Any]) -> Any:
    return dags["sync_open_orders"]


def test_dag_is_named_as_its_file_and_documented(dags: dict[str, Any]) -> None:
    assert set(dags) == {file.stem for file in (ROOT / "dags").glob("*.py")}
    for dag in dags.values():
        for heading in ("**What it does.**", "**When it fails**", "**How to re-run it.**"):
            assert heading in dag.doc_md


def test_sync_runs_every_five_minutes_one_at_a_time(sync: Any) -> None:
    assert sync.timetable.expression == "*/5 * * * *"
    assert str(sync.timezone) == "UTC"
    assert (sync.catchup, sync.max_active_runs) == (False, 1)
    assert sync.has_on_failure_callback


def test_steps_follow_each_other(sync: Any) -> None:
    order = ["connect", "fetch", "truncate", "import_batches", "publish"]
    assert [task.task_id for task in sync.topological_sort()] == order
    for upstream, downstream in pairwise(order):
        assert sync.get_task(downstream).upstream_task_ids == {upstream}


def test_run_in_which_a_step_uses_all_its_attempts_ends_within_five_minutes(sync: Any) -> None:
    assert sync.dagrun_timeout < timedelta(minutes=5)
    for task in sync.tasks:
        assert task.retries == 2
        longest = (task.retries + 1) * task.execution_timeout + task.retries * task.retry_delay
        assert longest <= sync.dagrun_timeout - timedelta(minutes=1), task.task_id


def test_parameters_are_described_and_validated(sync: Any) -> None:
    params = sync.params
    assert {name: params[name] for name in params} == {"batch_size": 10000, "allow_empty": False, "max_drop_share": 0.5}
    for name in params:
        param = params.get_param(name)
        assert param.description
        assert param.schema["title"]
    for name, bad in [("batch_size", 0), ("batch_size", "x"), ("allow_empty", "x"), ("max_drop_share", 1.1)]:
        with pytest.raises(ParamValidationError, match="Failed validating|is not of type"):
            params.get_param(name).resolve(bad)


def test_publish_declares_the_table_as_an_asset(sync: Any) -> None:
    assert [outlet.name for outlet in sync.get_task("publish").outlets] == ["open_orders"]


def test_steps_have_nothing_that_airflow_would_have_to_keep(sync: Any) -> None:
    # What a function is said to return, mypy holds it to.
    assert {task.python_callable.__annotations__["return"] for task in sync.tasks} == {"None"}
    assert {task.template_fields for task in sync.tasks} == {()}


def test_bad_setting_is_an_import_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN_ORDERS_BATCH_SIZE", "many")
    load_settings.cache_clear()
    try:
        errors = DagBag(ROOT / "dags").import_errors
    finally:
        load_settings.cache_clear()
    assert "OPEN_ORDERS_BATCH_SIZE='many'" in "\n".join(errors.values())


# As the DAG processor does it: a fork of a process that has Airflow and what our listener preloads, and whose objects
# garbage collection leaves alone, parses and serializes the file, and ends. Without that some parse has to look at all
# of Airflow's objects. Processor time, in turn: the machine may have other things to do.
PARSE = """
import gc, os, sys
from pathlib import Path
from statistics import median
import structlog
from airflow.dag_processing.processor import DagFileParseRequest, _parse_file
from airflow.jobs.job import Job

Job()
gc.freeze()

def parse(path):
    child = os.fork()
    if child == 0:
        request = DagFileParseRequest(file=path, bundle_path=Path(path).parent, bundle_name="files")
        result = _parse_file(request, structlog.get_logger())
        os._exit(0 if len(result.serialized_dags) == 1 and not result.import_errors else 1)
    _, status, usage = os.wait4(child, 0)
    assert status == 0, path
    return usage.ru_utime + usage.ru_stime

print(median(parse(sys.argv[1]) / parse(sys.argv[2]) for _ in range(15)))
"""

FIVE_EMPTY_TASKS = """
from airflow.sdk import dag, task
@dag(schedule="*/5 * * * *")
def empty():
    @task
    def a(): ...
    @task
    def b(): ...
    @task
    def c(): ...
    @task
    def d(): ...
    @task
    def e(): ...
    a() >> b() >> c() >> d() >> e()
empty()
"""


def test_parsing_takes_at_most_a_fifth_longer_than_that_of_an_empty_dag_of_as_many_tasks(tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text(FIVE_EMPTY_TASKS)
    command = [sys.executable, "-c", PARSE, str(ROOT / "dags" / "sync_open_orders.py"), str(empty)]
    # Deployments have bytecode; a shell that wants none left behind would have each parse compile our modules.
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert float(done.stdout.splitlines()[-1]) <= 1.2

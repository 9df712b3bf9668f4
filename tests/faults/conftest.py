from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.faults import report
from tests.faults.cell import Cell
from tests.faults.plant import Plant
from tests.faults.reader import Reader
from tests.first_run import FirstRun

HERE = Path(__file__).parent
PACKAGES = ("apache-airflow", "celery", "psycopg", "mssql-python", "pymssql")
# What runs without --all, within the time of bin/test.
PART = {
    "test_task_is_repeated[publish, among the rows]",
    "test_scheduler_that_comes_back_ends_the_run[import, after batch 1 of 3]",
    "test_run_that_lost_its_landing_fails_and_any_other_is_repeated[import, at its end]",
    "test_run_marked_as_failed_changes_nothing_more[publish, beginning]",
    "test_next_attempt_succeeds[hangs up inside a row]",
}


@pytest.fixture(scope="session")
def plant(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Yield a running deployment, whose first run has published."""
    with Plant(tmp_path_factory.mktemp("plant"), first_run) as plant:
        yield plant


@pytest.fixture
def cell(plant: Plant, record_property: Callable[[str, object], None]) -> Iterator[Cell]:
    """Yield a run in the making, with a reader at work; whatever a failed cell left is put right first."""
    plant.recover()
    reader = Reader(plant.orders_dsn)
    try:
        cell = Cell(plant, reader, record_property)
        yield cell
        plant.orders_server.start()
        cell.let_go()
    finally:
        reader.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent != HERE:
            continue
        if item.name not in PART and "cell" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.full)
        if marker := item.get_closest_marker("fault"):
            place = item.name.partition("[")[2].removesuffix("]")
            # User properties reach the report also from another process.
            item.user_properties.append(("cell", [marker.args[0], place]))
            item.user_properties.append(("deployment", marker.kwargs.get("deployment", report.DEPLOYMENTS[0])))
    if config.getoption("--resume-matrix"):
        kept = [report.Matrix.load(deployment, config.cache) for deployment in report.DEPLOYMENTS]
        done = [item for item in items if any(matrix.held(dict(item.user_properties)) for matrix in kept)]
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if item not in done]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for deployment in report.DEPLOYMENTS:
        resumed = config.getoption("--resume-matrix")
        matrix = report.Matrix.load(deployment, config.cache) if resumed else report.Matrix(deployment)
        added = False
        for outcome in ("passed", "failed", "error"):
            for result in terminalreporter.stats.get(outcome, []):
                added |= matrix.add(dict(getattr(result, "user_properties", ())), held=outcome == "passed")
        if added:
            matrix.goes += 1
            _tell(matrix, terminalreporter, config)


def _tell(matrix: report.Matrix, terminalreporter: Any, config: pytest.Config) -> None:
    """Print the matrix, keep it for a later go, and write its tables where that is asked for."""
    terminalreporter.section(f"fault matrix of {matrix.deployment}")
    for line in matrix.summarize():
        terminalreporter.write_line(line)
    if config.getoption("--all"):
        matrix.store(config.cache)
    if file := config.getoption("--write-matrix"):
        packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        matrix.write_tables(Path(file), f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {packages}")

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from open_orders.execution import Execution, RunState
from open_orders.job_log_hook import JobLogHook
from open_orders.settings import load_settings
from sandbox.ports import find_free_port
from sandbox.tds.scripted_engine import ScriptedEngine
from sandbox.tds.server import StandInServer
from tests.integration.driver_process import DriverProcess
from tests.integration.ended_runs import Job
from tests.integration.erp import MSSQL_PYTHON, PASSWORD, PYMSSQL, Erp, Sync
from tests.integration.receiver import Receiver


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `both_drivers` with each; `other="full"` leaves the older one to `bin/test --all`."""
    mark = metafunc.definition.get_closest_marker("both_drivers")
    if mark is not None and "source_driver" in metafunc.fixturenames:
        marks = [pytest.mark.full] if mark.kwargs.get("other") == "full" else []
        drivers = [pytest.param(MSSQL_PYTHON), pytest.param(PYMSSQL, marks=marks)]
        metafunc.parametrize("source_driver", drivers, indirect=True)


@pytest.fixture
def execution() -> Callable[..., Execution]:
    """Return a maker of executions: a first attempt of `connect` in a manual run, unless told otherwise."""
    runs = count(1)

    def make(**changes: Any) -> Execution:
        values: dict[str, Any] = {
            "dag_id": "sync_open_orders",
            "run_id": f"manual__{next(runs)}",
            "trigger": "manual",
            "triggered_by": "admin",
            "clear_number": 0,
            "step": "connect",
            "attempt": 1,
            "attempts": 3,
            "run_started_at": None,
            "run_state": lambda _dag_id, _run_id: RunState.ACTIVE,
        }
        return Execution(**(values | changes))

    return make


@pytest.fixture
def opened(orders_dsn: str, execution: Callable[..., Execution]) -> JobLogHook:
    """Return a hook whose job log is processing."""
    hook = JobLogHook()
    hook.open(execution())
    return hook


@pytest.fixture
def source_driver(request: pytest.FixtureRequest) -> str:
    """Return the name of the driver that reads from the source: production's, unless a test asks for both."""
    return str(getattr(request, "param", MSSQL_PYTHON))


@pytest.fixture
def erp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source_driver: str) -> Iterator[Erp]:
    """Yield a stand-in SQL Server with scripted rows, which the connection erp_mssql points at."""
    engine = ScriptedEngine()
    with StandInServer(engine, users={"reader": PASSWORD}, replies_at_once=True) as server:
        erp = Erp(server, engine, tmp_path / "open_orders.sql", source_driver)
        monkeypatch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address())
        yield erp


@pytest.fixture
def sync(orders_dsn: str, erp: Erp, execution: Callable[..., Execution]) -> Sync:
    """Return a runner of the sync's steps, from the scripted ERP into the test's orders database."""
    return Sync(erp, execution)


@pytest.fixture(scope="session")
def driver() -> Iterator[DriverProcess]:
    """Yield a runner of tasks in processes of their own.

    Besides what may crash it is for what the driver says when it can't connect: in a long-lived process it repeats what
    it kept of other connections, until there is no room for the new reason.
    """
    with DriverProcess() as process:
        yield process


@pytest.fixture
def job(orders_dsn: str, execution: Callable[..., Execution]) -> Job:
    """Return a job that can be run, and whose runs end as in Airflow."""
    return Job(execution)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Yield a receiver to which the connection alerts leads; settings can be changed in the test."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    load_settings.cache_clear()
    with Receiver() as receiver:
        monkeypatch.setenv("AIRFLOW_CONN_ALERTS", receiver.connection)
        yield receiver
    load_settings.cache_clear()


@pytest.fixture
def unused_port() -> int:
    """Return a port on which nobody listens."""
    return find_free_port()

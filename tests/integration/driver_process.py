"""The product's reader and steps in a process of their own, one per task as Airflow has it.

The driver is C code: what crashes or hangs there must be a finding, not the end of the tests. `DriverProcess` keeps a
process with everything imported and no connection yet, which forks for each task, watches the fork, and tells what
became of it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders import source_watch
from open_orders.contract import OPEN_ORDERS
from open_orders.errors import JobError
from open_orders.execution import Execution, RunState
from open_orders.preload import load_driver
from open_orders.settings import Settings
from open_orders.source import open_source, read_source_query
from tests.integration.erp import run_step

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ending:
    """How a task ended: with `rows` read or a step done, with `error` (of our own, `kind` its class), or otherwise.

    `unforeseen` is the traceback of any other exception, `exit_code` that of a process which ended itself, `signal`
    what killed it, `hung` that it had to be killed. `grown_mb` is by how much its memory grew at most.
    """

    rows: int | None = None
    error: str | None = None
    kind: str | None = None
    unforeseen: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    hung: bool = False
    grown_mb: int = 0

    @property
    def is_orderly(self) -> bool:
        """Whether the product was in control of the end."""
        return self.rows is not None or self.error is not None


class DriverProcess:
    """Runs tasks in forks; one that takes longer than `limit_s` is killed and reported as hung."""

    def __init__(self, limit_s: float = 60) -> None:
        self._limit_s = limit_s

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.driver_process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT)])},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def read(self, erp: str, query_file: Path, **limits: float) -> Ending:
        """Read the source query's rows from the server that the connection `erp` names."""
        return self._run({"task": "read", "erp": erp, "query_file": str(query_file), "limits": limits})

    def step(self, erp: str, query_file: Path, execution: dict[str, Any], **limits: float) -> Ending:
        """Run one step of a sync into the database of the connection orders_db."""
        request = {"task": "step", "erp": erp, "orders": os.environ["AIRFLOW_CONN_ORDERS_DB"], "execution": execution}
        return self._run(request | {"query_file": str(query_file), "limits": limits})

    def _run(self, request: dict[str, Any]) -> Ending:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request | {"limit_s": self._limit_s}) + "\n")
        self._process.stdin.flush()
        return Ending(**json.loads(self._process.stdout.readline()))


def _read(request: dict[str, Any]) -> int:
    with open_source(MsSqlHook("erp_mssql"), request["limits"].get("time_limit_s")) as session:
        session.be_a_good_guest(Settings().source_lock_timeout_s)
        query = session.start(read_source_query(Path(request["query_file"])), OPEN_ORDERS)
        for _batch in session.batches(query, 2):
            pass
        return session.confirm()


def _step(request: dict[str, Any]) -> int:
    values = request["execution"] | {"run_state": lambda _dag_id, _run_id: RunState.ACTIVE, "run_started_at": None}
    execution = Execution(**values, time_limit_s=request["limits"].get("time_limit_s"))
    run_step(execution, Settings(source_sql=Path(request["query_file"])), {})
    return 0


_TASKS: dict[str, Callable[[dict[str, Any]], int]] = {"read": _read, "step": _step}


def _perform(request: dict[str, Any]) -> dict[str, Any]:
    os.environ["AIRFLOW_CONN_ERP_MSSQL"] = request["erp"]
    source_watch.STUCK_AFTER_S = request["limits"].get("stuck_after_s", source_watch.STUCK_AFTER_S)
    source_watch.MEMORY_BETWEEN_ROWS = request["limits"].get("memory_bytes", source_watch.MEMORY_BETWEEN_ROWS)
    os.environ["AIRFLOW_CONN_ORDERS_DB"] = request.get("orders", "")
    try:
        return {"rows": _TASKS[request["task"]](request)}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        known = error if isinstance(error, JobError) else error.__cause__
        if isinstance(known, JobError):
            return {"error": str(known), "kind": type(known).__name__}
        return {"unforeseen": traceback.format_exc()}


def _fork(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, json.dumps(_perform(request)).encode())
        # No clean-up: what the driver left behind must not decide how the process ends.
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        hung = not select.select([pipe], [], [], request["limit_s"])[0]
        if hung:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        told = pipe.read()
    _, status, usage = os.wait4(child, 0)
    grown = {"grown_mb": max(0, usage.ru_maxrss - _BASELINE_KB) // 1024}
    if hung:
        return {"hung": True} | grown
    if os.WIFSIGNALED(status):
        return {"signal": signal.Signals(os.WTERMSIG(status)).name} | grown
    if not told:
        return {"exit_code": os.WEXITSTATUS(status)} | grown
    return json.loads(told) | grown


def main() -> None:
    """Serve requests from standard input until it ends."""
    for line in sys.stdin:
        answer = _fork(json.loads(line))
        # On standard output, and nothing else is: a step's log goes to standard error.
        os.write(_ANSWERS, (json.dumps(answer) + "\n").encode())


def _own_memory_kb() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


if __name__ == "__main__":
    # As the scheduler does before it forks.
    load_driver()
    _BASELINE_KB = _own_memory_kb()
    _ANSWERS = os.dup(1)
    os.dup2(2, 1)
    main()

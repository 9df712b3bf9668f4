"""From trigger to success of `sync_open_orders`, beside a DAG of five empty tasks in the same Airflow.

A quickstart on a stand-in SQL Server that replays so many open order lines, a hundredth of which change from run to
run; the two DAGs are triggered in turn, and Airflow's own times of runs and tasks are read from its REST API. The
figures go to bench/results/end_to_end.md; the exit code is 3 when the sync takes longer than 1.5 times the empty tasks
at the median.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from statistics import median
from textwrap import dedent
from typing import Any

import httpx

from bench.rows.replayed_erp import CHANGED, replay_erp, take_turns
from sandbox.ports import HOST, find_free_port
from sandbox.progress import announce, say
from sandbox.quickstart import Options, Quickstart, Running
from sandbox.state import REPOSITORY, State

SYNC, EMPTY = "sync_open_orders", "five_empty_tasks"
RESULTS = Path(__file__).with_name("results") / "end_to_end.md"
GOAL = 1.5
# Not 1, with which Python ends when something broke.
OVER_BUDGET = 3
WARM_UP = 2
DAG_TIMEOUT_S, RUN_TIMEOUT_S, QUIET_TIMEOUT_S, POLL_S = 90, 120, 600, 0.1
# Longer than a pair of runs takes.
MARGIN = timedelta(seconds=15)


@dataclass(frozen=True)
class TaskTimes:
    """Seconds of one task: from when the task before it ended (or the run was triggered) to its start, and at work."""

    name: str
    before_s: float
    work_s: float


@dataclass(frozen=True)
class RunTimes:
    """Seconds from trigger to success of one run, and its tasks in order."""

    total_s: float
    tasks: tuple[TaskTimes, ...]


class RunFailedError(Exception):
    """A run that was to be timed did not succeed."""


class Airflow:
    """The REST API of a running quickstart, as its user admin."""

    def __init__(self, address: str, password: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=30, trust_env=False)
        answer = self._client.post("/auth/token", json={"username": "admin", "password": password})
        self._client.headers["authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to a request of the API; raises httpx.HTTPStatusError for one that is no success."""
        answer = self._client.request(method, f"/api/v2/{path}", json=body).raise_for_status()
        return dict(answer.json())

    def time_run(self, dag_id: str, run_id: str) -> RunTimes:
        """Trigger a run, wait for its success, and return its times; raises RunFailedError."""
        self.call("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None})
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while (run := self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}"))["state"] not in ("success", "failed"):
            if time.monotonic() > deadline:
                raise RunFailedError(f"Run {run_id} of {dag_id} is still {run['state']} after {RUN_TIMEOUT_S} s")
            time.sleep(POLL_S)
        if run["state"] != "success":
            raise RunFailedError(f"Run {run_id} of {dag_id} failed; its job log and task logs say why")
        found = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return read_times(run, found)


def read_times(run: dict[str, Any], task_instances: Sequence[dict[str, Any]]) -> RunTimes:
    """Return the times of a run and its task instances as the REST API gives them."""
    triggered = ended = _moment(run["queued_at"])
    tasks = []
    for task in sorted(task_instances, key=lambda task: str(task["start_date"])):
        began = _moment(task["start_date"])
        tasks.append(TaskTimes(task["task_id"], _seconds(ended, began), _seconds(began, _moment(task["end_date"]))))
        ended = _moment(task["end_date"])
    return RunTimes(_seconds(triggered, _moment(run["end_date"])), tuple(tasks))


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    turns = take_turns(options.rows)
    with replay_erp([options.rows]) as erp, run_quickstart() as (running, airflow):

        def prepare() -> None:
            # No scheduled run shall come between.
            running.api.await_quiet(SYNC, MARGIN, QUIET_TIMEOUT_S)
            erp.show(next(turns))

        times = measure(airflow, options.runs, prepare)
    ratio = median_total(times[SYNC]) / median_total(times[EMPTY])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(render(options.rows, options.runs, times))
    say(f"  {SYNC} {median_total(times[SYNC]):.2f} s, {EMPTY} {median_total(times[EMPTY]):.2f} s: {ratio:.2f} times")
    say(f"  Report: {options.output}")
    return OVER_BUDGET if ratio > GOAL else 0


def measure(airflow: Airflow, runs: int, prepare: Callable[[], None], name: str = "bench") -> dict[str, list[RunTimes]]:
    """Return the times of so many runs of both DAGs, in turn, each pair prepared for; `name` begins their ids."""
    times: dict[str, list[RunTimes]] = {SYNC: [], EMPTY: []}
    for number in range(-WARM_UP, runs):
        prepare()
        for dag_id, found in times.items():
            taken = airflow.time_run(dag_id, f"{name}_{number + WARM_UP}")
            if number >= 0:
                found.append(taken)
                say(f"  {dag_id:<18} {taken.total_s:5.2f} s")
    return times


def median_total(runs: Sequence[RunTimes]) -> float:
    """Return the median of the runs' seconds."""
    return median(run.total_s for run in runs)


def render(rows: int, runs: int, times: dict[str, list[RunTimes]]) -> str:
    """Return the report as Markdown."""
    ratio = median_total(times[SYNC]) / median_total(times[EMPTY])
    introduction = dedent(f"""\
        # From trigger to success

        Written by `bin/bench end_to_end` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Python {platform.python_version()},
        Airflow {version("apache-airflow")} with LocalExecutor, {os.cpu_count()} cores ({platform.machine()}), load
        {os.getloadavg()[1]:.1f} over the last five minutes. The stand-in SQL Server replays {rows:,} open order lines
        that it encoded before, which leaves it as little to do as a SQL Server on another machine takes from this one;
        {CHANGED:.0%} of them change from run to run. The DAGs are triggered in turn, {runs} times each after {WARM_UP}
        to warm up. Seconds are Airflow's own, medians. "Before" is from the end of the task before (or the trigger) to
        the task's start.

        `{SYNC}` takes **{ratio:.2f} times** what five empty tasks take; the goal is at most {GOAL} times.""")
    lines = ["| | before s | at work s |", "|---|---|---|"]
    for dag_id, found in times.items():
        for tasks in zip(*(run.tasks for run in found), strict=True):
            before, work = (median(getattr(task, name) for task in tasks) for name in ("before_s", "work_s"))
            lines.append(f"| {dag_id}, {tasks[0].name} | {before:.2f} | {work:.2f} |")
        totals = sorted(run.total_s for run in found)
        lines.append(f"| **{dag_id}** | | **{median(totals):.2f}** ({totals[0]:.2f} to {totals[-1]:.2f}) |")
    return introduction + "\n\n" + "\n".join(lines) + "\n"


@contextmanager
def run_quickstart() -> Iterator[tuple[Running, Airflow]]:
    """Yield a quickstart on the ERP that the environment names, whose two DAGs are ready and Airflow can be asked."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made, ExitStack() as cleanup:
        directory = Path(made)
        # PostgreSQL runs as another user when this one is root.
        directory.chmod(0o755)
        dags_dir = directory / "dags"
        shutil.copytree(REPOSITORY / "bench" / "dags", dags_dir)
        shutil.copy(REPOSITORY / "dags" / f"{SYNC}.py", dags_dir)
        state = State(directory / "state")
        options = Options(port=find_free_port(), dags_dir=dags_dir)
        running = Quickstart(options, state).start(cleanup)
        with announce("DAGs read"):
            for dag_id in (SYNC, EMPTY):
                running.api.await_dag(dag_id, DAG_TIMEOUT_S)
        airflow = Airflow(f"http://{HOST}:{options.port}", state.read_secret("admin_password"))
        for dag_id in (SYNC, EMPTY):
            airflow.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
        yield running, airflow


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench end_to_end", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000, help="open order lines, in thousands (%(default)s)")
    parser.add_argument("--runs", type=int, default=20, help="timed runs of each DAG (%(default)s)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

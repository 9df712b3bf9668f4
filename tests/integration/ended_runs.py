"""Runs of a job that end well or not, and what the DAG's callbacks make of that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from open_orders import run_end
from open_orders.errors import SuspiciousSourceError
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook


class Job:
    """A job of one task."""

    def __init__(self, execution: Callable[..., Execution]) -> None:
        self._execution = execution

    def run(self, reason: str | None = None, *, calls_back: bool = True, **changes: Any) -> Execution:
        """Run once; with a reason it fails."""
        run = self._execution(**changes)
        with suppress(AirflowFailException), JobLogHook().job(run):
            if reason:
                raise SuspiciousSourceError(reason)
        if calls_back:
            self.end(run, succeeded=not reason)
        return run

    def end(self, run: Execution, *, succeeded: bool) -> None:
        """Call the DAG's callback."""
        context = {"dag": SimpleNamespace(dag_id=run.dag_id), "run_id": run.run_id, "reason": "task_failure"}
        run_end.close(context, succeeded=succeeded)

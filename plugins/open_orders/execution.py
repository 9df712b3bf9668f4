"""One attempt of one task of one DAG run, as the job log needs to know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from open_orders.job_standing import Outlook

if TYPE_CHECKING:
    from airflow.sdk import Context


# How the run id of a job begins that runs outside of Airflow, in a process of its own.
OUTSIDE = "process__"


class RunState(Enum):
    """What Airflow says of a DAG run; a run that it doesn't know is over."""

    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    OVER = "over"


@dataclass(frozen=True)
class Execution:
    """Who works on a job log: the run, what started it, and the attempt of the task that is at work.

    `clear_number` counts how often the run was cleared in Airflow; `run_started_at` tells a run from another that used
    the same id. `run_state(dag_id, run_id)` asks Airflow for the state of any run, `outlook(dag_id)` what it means to
    do with any DAG, None with one that it doesn't have. `time_limit_s` is the task's execution_timeout, None without.
    """

    dag_id: str
    run_id: str
    trigger: str
    triggered_by: str | None
    clear_number: int
    run_started_at: datetime | None
    step: str
    attempt: int
    attempts: int
    run_state: Callable[[str, str], RunState]
    time_limit_s: float | None = None
    outlook: Callable[[str], Outlook | None] = lambda _dag_id: None

    @property
    def is_last_attempt(self) -> bool:
        """Whether Airflow will not try again after this attempt."""
        return self.attempt >= self.attempts

    @property
    def origin(self) -> str:
        """What started the run, in words: `scheduled`, or `manual, triggered by admin`."""
        return f"{self.trigger}, triggered by {self.triggered_by}" if self.triggered_by else self.trigger

    @classmethod
    def from_context(cls, context: Context) -> Execution:
        """Return the execution that an Airflow task context describes."""
        run, task_instance = context["dag_run"], context["ti"]
        time_limit = task_instance.task.execution_timeout

        def run_state(dag_id: str, run_id: str) -> RunState:
            def is_in(*states: str) -> bool:
                return task_instance.get_dr_count(dag_id, run_ids=[run_id], states=list(states)) > 0

            if is_in("queued", "running"):
                return RunState.ACTIVE
            return RunState.SUCCEEDED if is_in("success") else RunState.OVER

        def outlook(dag_id: str) -> Outlook | None:
            try:
                dag = task_instance.get_dag(dag_id)
            except AirflowRuntimeError:
                return None
            return Outlook(dag.is_paused, dag.next_dagrun)

        return cls(
            dag_id=run.dag_id,
            run_id=run.run_id,
            trigger=str(getattr(run.run_type, "value", run.run_type)),
            triggered_by=getattr(run, "triggering_user_name", None),
            clear_number=getattr(run, "clear_number", None) or 0,
            run_started_at=getattr(run, "start_date", None),
            step=task_instance.task_id,
            attempt=task_instance.try_number,
            attempts=task_instance.max_tries + 1,
            run_state=run_state,
            time_limit_s=None if time_limit is None else time_limit.total_seconds(),
            outlook=outlook,
        )


# Airflow's words for why a run failed (airflow.models.dagrun, SchedulerJobRunner).
_ENDS = {
    "task_failure": "the task ended and could not say why; its log in Airflow may",
    "timed_out": "the run took longer than its time limit and was stopped",
}


@dataclass(frozen=True)
class RunEnd:
    """The end of a DAG run as Airflow tells its callbacks; `step` is the task that it names as the cause, if any."""

    dag_id: str
    run_id: str
    clear_number: int | None
    step: str | None
    reason: str

    @property
    def summary(self) -> str:
        """What ended the run, in words: `fetch: the run took longer than its time limit and was stopped`."""
        words = _ENDS.get(self.reason, f"the run ended without closing its log ({self.reason})")
        return f"{self.step}: {words}" if self.step else words

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> RunEnd:
        """Return the end that a callback's context describes, which lacks most when no task is to blame."""
        run, task_instance = context.get("dag_run"), context.get("ti")
        return cls(
            dag_id=context["dag"].dag_id,
            run_id=context["run_id"],
            clear_number=getattr(run, "clear_number", None),
            step=getattr(task_instance, "task_id", None),
            reason=str(context.get("reason")),
        )

"""What a DAG's callbacks do when a run has ended: close its job log, and tell people if that changes something.

Airflow calls them in the DAG processor, where an error ends in the log and changes nothing for the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from open_orders import alerts
from open_orders.execution import RunEnd
from open_orders.job_log_hook import JobLogHook


def close(context: Mapping[str, Any], *, succeeded: bool) -> None:
    """Close the job log of the run that a callback's context describes, if it is open, and look after the job."""
    end = RunEnd.from_context(context)
    log = JobLogHook()
    log.close_run(end.dag_id, end.run_id, end.clear_number, end.summary, succeeded=succeeded)
    alerts.look_after(log, end.dag_id)

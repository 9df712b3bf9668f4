"""What a DAG's callbacks do when a run has ended: close its job log, and tell people if that changes something.

Airflow calls them in the DAG processor, where an error ends in the log and changes nothing for the run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import psycopg

from open_orders import alerts, dead_mans_ping
from open_orders.execution import RunEnd
from open_orders.job_log_hook import JobLogHook
from open_orders.masking import redact
from open_orders.reasons import explain

# The DAG processor stops a callback after 50 s ([dag_processor] dag_file_processor_timeout); psycopg would try for 130.
CONNECT_LIMIT_S = 10


def close(context: Mapping[str, Any], *, succeeded: bool) -> None:
    """Close the job log of the run that a callback's context describes, ping, and look after the job."""
    end = RunEnd.from_context(context)
    # First, since it needs no database.
    problem = dead_mans_ping.ping(end.dag_id, "success" if succeeded else "fail")
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_LIMIT_S))
    log = JobLogHook()
    try:
        log.close_run(end.dag_id, end.run_id, end.clear_number, end.summary, succeeded=succeeded)
        if problem:
            log.remark(log.find(end.dag_id, end.run_id), problem, "warning")
        alerts.look_after(log, end.dag_id)
    except psycopg.Error as error:
        if not succeeded:
            alerts.tell_without_database(end, redact(explain(error)))
        raise

"""What Airflow knows about a job's DAG: its schedule, whether it is paused, when it runs next."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from open_orders.masking import redact

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DagState:
    """None where Airflow does not say; `cron` is None for a schedule that is no cron expression."""

    cron: str | None = None
    is_paused: bool | None = None
    next_run_at: datetime | None = None


UNKNOWN = DagState()


def read_dag_state(dag_id: str) -> DagState:
    """Return the state of a DAG; all unknown when Airflow has not read it, or its database is away."""
    columns = (DagModel.timetable_summary, DagModel.is_paused, DagModel.next_dagrun_create_after)
    try:
        with create_session() as session:
            row = session.execute(select(*columns).where(DagModel.dag_id == dag_id)).one_or_none()
    except SQLAlchemyError as error:
        # The job logs are in another database: what they say is still worth showing.
        reason = redact(str(error).splitlines()[0])
        log.warning("Airflow's database does not say how %s is scheduled: %s", dag_id, reason)
        return UNKNOWN
    if row is None:
        return UNKNOWN
    cron, is_paused, next_run_at = row
    return DagState(cron, is_paused, None if is_paused else next_run_at)

"""What Airflow knows about the sync's DAG: its schedule, whether it is paused, when it runs next."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from open_orders.masking import redact
from open_orders.web.auth import SYNC_DAG_ID

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DagState:
    """None where Airflow does not say; `cron` is None for a schedule that is no cron expression."""

    cron: str | None = None
    is_paused: bool | None = None
    next_run_at: datetime | None = None


UNKNOWN = DagState()


def read_dag_state() -> DagState:
    """Return the state of the sync's DAG; all unknown when Airflow has not read it, or its database is away."""
    columns = (DagModel.timetable_summary, DagModel.is_paused, DagModel.next_dagrun_create_after)
    try:
        with create_session() as session:
            row = session.execute(select(*columns).where(DagModel.dag_id == SYNC_DAG_ID)).one_or_none()
    except SQLAlchemyError as error:
        # The job logs are in another database: what they say is still worth showing.
        reason = redact(str(error).splitlines()[0])
        log.warning("Airflow's database does not say how %s is scheduled: %s", SYNC_DAG_ID, reason)
        return UNKNOWN
    if row is None:
        return UNKNOWN
    cron, is_paused, next_run_at = row
    return DagState(cron, is_paused, None if is_paused else next_run_at)

"""The job logs as JSON: the filters of the page, stable names, ISO times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import APIRouter, Query

from open_orders.models import JobLogDetail
from open_orders.web import api_types
from open_orders.web.api_types import iso, iso_utc
from open_orders.web.database import read
from open_orders.web.job_log_filter import Filter, Paging
from open_orders.web.job_log_lines import read_details
from open_orders.web.job_log_queries import PAGE, LogView, read_activity, read_page, read_progress
from open_orders.web.job_log_search import search
from open_orders.web.job_logs_pages import find

router = APIRouter(prefix="/api", tags=["job logs"])
After = Annotated[int, Query(ge=0, lt=2**63, description="Id of the last message that is known")]


@router.get("/job_logs")
def job_logs(chosen: Filter, position: Paging, limit: Annotated[int, Query(ge=1, le=200)] = PAGE) -> api_types.JobLogs:
    """Return job logs, newest first; `older` is the `before` of the next page, `newer` the `after` of the one before.

    `searched_since` says from when on the text was searched, where that is not everything.
    """
    with read() as session:
        now = datetime.now(UTC)
        found = search(session, chosen)
        page = read_page(session, chosen, found, position, now, limit)
    return {
        "job_logs": [describe(view) for view in page.logs],
        "newer": page.newer,
        "older": page.older,
        "searched_since": iso(found.since),
    }


@router.get("/job_logs/{name}")
def job_log(name: str) -> api_types.JobLog:
    """Return one job log."""
    with read() as session:
        log = find(session, name)
        return describe(LogView(log, datetime.now(UTC), read_progress(session, [log.id]).get(log.id)))


@router.get("/job_logs/{name}/details")
def details(name: str, after: After = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 1000) -> api_types.Details:
    """Return the messages of a job log that were written after one, oldest first, and the state of the log now."""
    with read() as session:
        log = find(session, name)
        found = read_details(session, log.id, after, limit)
        view = LogView(log, datetime.now(UTC))
    return {
        "job_log": log.name,
        "status": view.status,
        "active": view.is_active,
        "updated_at": iso_utc(log.updated_at),
        "details": [_describe_detail(detail) for detail in found],
        "last_id": found[-1].id if found else after,
    }


@router.get("/activity")
def activity() -> api_types.Activity:
    """Return how many runs are under way, and a version that changes whenever the list of job logs does."""
    with read() as session:
        found = read_activity(session, datetime.now(UTC))
    return {"version": found.version, "active": found.active}


def describe(view: LogView) -> api_types.JobLog:
    """Return a job log as the API gives it; `duration_s` is so far where the run goes on."""
    log = view.log
    return {
        "name": log.name,
        "job_name": log.job_name,
        "status": view.status,
        "active": view.is_active,
        "dag_id": log.dag_id,
        "run_id": log.run_id,
        "trigger": log.trigger,
        "triggered_by": log.triggered_by,
        "started_at": iso_utc(log.started_at),
        "completed_at": iso(log.completed_at),
        "heartbeat_at": iso_utc(log.heartbeat_at),
        "duration_s": view.duration.total_seconds(),
        "fetched": log.fetched,
        "imported": log.imported,
        "rejected": log.rejected,
        "inserted": log.inserted,
        "updated": log.updated,
        "deleted": log.deleted,
        "total_after": log.total_after,
        "step": log.step,
        "step_try": log.step_try,
        "batch": view.batches[0] if view.batches else None,
        "batches": view.batches[1] if view.batches else None,
        "error_summary": log.error_summary,
        "details_deleted_at": iso(log.details_deleted_at),
    }


def _describe_detail(detail: JobLogDetail) -> api_types.Detail:
    return {
        "id": detail.id,
        "created_at": iso_utc(detail.created_at),
        "level": cast("api_types.DetailLevel", detail.level),
        "task_id": detail.task_id,
        "try_number": detail.try_number,
        "message": detail.message,
    }

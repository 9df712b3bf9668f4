"""The pages of the job logs: the list, one log, the tab of a DAG run, and a log as a text file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from sqlalchemy.orm import Session

from open_orders.job_status import JobStatus
from open_orders.models import JobLog, JobLogDetail
from open_orders.retention_rules import describe_messages_rule, describe_rules
from open_orders.settings import load_settings
from open_orders.web import job_log_search
from open_orders.web.auth import SYNC_DAG_ID, JobLogsReader
from open_orders.web.database import read
from open_orders.web.job_log_filter import STATUSES, Filter, Paging, clean_query
from open_orders.web.job_log_lines import Choice, LineChoice, read_lines, stream_details, summarise
from open_orders.web.job_log_queries import (
    COUNT_LIMIT,
    LogView,
    count_by_status,
    find_by_name,
    find_by_run,
    logs_itself,
    read_active,
    read_activity,
    read_jobs,
    read_neighbours,
    read_page,
    read_progress,
)
from open_orders.web.job_log_search import search
from open_orders.web.job_log_trend import HEIGHT, WIDTH, read_error_shapes, read_trend
from open_orders.web.numbers import number, visible
from open_orders.web.problems import NotFoundError
from open_orders.web.rendering import query_of, render
from open_orders.web.verdict import read_verdict

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def list_job_logs(request: Request, reader: JobLogsReader, chosen: Filter, position: Paging) -> Response:
    """Return the job logs that the filter keeps, newest first, 25 a page."""
    job = chosen.job or SYNC_DAG_ID
    with read() as session:
        now = datetime.now(UTC)
        found = search(session, chosen)
        page = read_page(session, chosen, found, position, now)
        context: dict[str, Any] = {
            "page": page,
            "counts": count_by_status(session, chosen, found, now),
            "jobs": read_jobs(session),
            "active": read_active(session, job, now),
            "activity": read_activity(session, now),
            "trend": read_trend(session, job),
            "shapes": read_error_shapes(session, now),
            "verdict": read_verdict(session, now, job),
        }
    # Of a job that Airflow does not know there is nothing to trigger.
    may_trigger = (job == SYNC_DAG_ID or context["verdict"].paused is not None) and reader.may_trigger(job)
    context |= {
        "chosen": chosen,
        "job": job,
        "statuses": STATUSES,
        "searched_since": found.since,
        "searched_messages": job_log_search.SEARCHED_MESSAGES,
        "count_words": count_words,
        "newer_url": page.newer and chosen.query(after=page.newer),
        "older_url": page.older and chosen.query(before=page.older),
        "is_first": position is None,
        "back": clean_query(query_of(request)),
        "trend_size": (WIDTH, HEIGHT),
        "kept": describe_rules(load_settings()),
        "may_trigger": may_trigger,
    }
    return render(request, reader, "job_logs/list.html", title="Job Logs", **context)


@router.get("/run", response_class=HTMLResponse)
def show_run(
    request: Request,
    reader: JobLogsReader,
    choice: Choice,
    dag_id: Annotated[str, Query(max_length=300)] = "",
    run_id: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """Return the log of a DAG run, or why there is none: the tab of Airflow's run page."""
    # No stored text holds a NUL character.
    dag_id, run_id = dag_id.replace("\x00", ""), run_id.replace("\x00", "")
    with read() as session:
        log = find_by_run(session, dag_id, run_id)
        others = log is not None or dag_id == SYNC_DAG_ID or logs_itself(session, dag_id)
        context = _describe(session, log, choice) if log else {}
    if log is None:
        context = {"dag_id": dag_id, "run_id": run_id, "logs_itself": others}
        return render(request, reader, "job_logs/no_log.html", title="No job log", **context)
    context |= {"hidden": {"dag_id": dag_id, "run_id": run_id}, "is_tab": True, "back": ""}
    return render(request, reader, "job_logs/detail.html", title=log.name, **context)


@router.get("/{name}", response_class=HTMLResponse)
def show_job_log(
    request: Request,
    reader: JobLogsReader,
    name: str,
    choice: Choice,
    back: Annotated[str, Query(max_length=2000)] = "",
) -> Response:
    """Return one job log with its messages; `back` is the query of the list that the reader came from."""
    with read() as session:
        context = _describe(session, find(session, name), choice)
    back = clean_query(back)
    context |= {"hidden": {"back": back} if back else {}, "is_tab": False, "back": back}
    return render(request, reader, "job_logs/detail.html", title=name, **context)


@router.get("/{name}/download.txt")
def download(name: str) -> Response:
    """Return a job log as a text file, a line for each message, times in UTC."""
    parts = _download_parts(name)
    # The log is looked up before the answer begins: until then an error can still be a page.
    file_name = next(parts)
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return StreamingResponse(parts, media_type="text/plain; charset=utf-8", headers=headers)


def find(session: Session, name: str) -> JobLog:
    """Return the log with a name; raises NotFoundError."""
    log = find_by_name(session, name) if "\x00" not in name else None
    if log is None:
        raise NotFoundError(f"There is no job log {visible(name)}. It may be older than what is kept.")
    return log


def _describe(session: Session, log: JobLog, choice: LineChoice) -> dict[str, Any]:
    """Return what the page of a log shows; line numbers count all messages, whichever are shown."""
    view = LogView(log, datetime.now(UTC), read_progress(session, [log.id]).get(log.id))
    messages = summarise(session, log.id)
    return {
        "view": view,
        "log": log,
        "choice": choice,
        "messages": messages,
        # Of a run that goes on the newest messages matter.
        "lines": read_lines(session, log.id, choice, messages.total, at_end=view.is_active),
        "neighbours": read_neighbours(session, log),
        "failed": log.status == JobStatus.ERROR,
        "reason": _reason(log),
        "history_days": load_settings().airflow_history_days,
        "kept": describe_messages_rule(load_settings(), JobStatus(log.status)),
    }


def _reason(log: JobLog) -> str:
    """Return the error without the name of the step that it begins with."""
    summary = log.error_summary or "No reason was given"
    return summary.removeprefix(f"{log.step}: ") if log.step else summary


def _download_parts(name: str) -> Iterator[str]:
    """Yield the file's name, then the file."""
    with read("downloads") as session:
        log = find(session, name)
        yield f"job_log_{''.join(sign for sign in log.name if sign.isascii() and (sign.isalnum() or sign in '_-'))}.txt"
        view = LogView(log, datetime.now(UTC))
        yield f"Job log {visible(log.name)} of {visible(log.job_name)}: {view.status}\n"
        yield f"Run {visible(log.run_id)}, started {_utc(log.started_at)}\n"
        if log.error_summary:
            yield f"Error: {visible(log.error_summary)}\n"
        if log.details_deleted_at:
            yield f"Messages before {_utc(log.details_deleted_at)} were deleted\n"
        yield "\n"
        for details in stream_details(session, log.id):
            yield "".join(_as_text(detail) for detail in details)


def _as_text(detail: JobLogDetail) -> str:
    origin = f"{visible(detail.task_id or '-')}#{detail.try_number or 1}"
    message = visible(detail.message).replace("\n", "\n    ")
    return f"{_utc(detail.created_at)}  {detail.level:<7}  {origin:<16}  {message}\n"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " +00:00"


def count_words(count: int) -> str:
    """Return a count as far as it was counted: `286`, `1,000+`."""
    return f"{COUNT_LIMIT:,}+" if count > COUNT_LIMIT else number(count)

"""The verdict as JSON: for uptime monitors, and for the panel on Airflow's home page."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from open_orders.web import api_types
from open_orders.web.api_types import iso, iso_utc
from open_orders.web.auth import JOB_LOGS, SYNC_DAG_ID, JobLogsReader, require
from open_orders.web.database import read
from open_orders.web.job_log_filter import JobName
from open_orders.web.job_log_queries import logs_itself
from open_orders.web.numbers import visible
from open_orders.web.problems import NotFoundError
from open_orders.web.rendering import render, status_word
from open_orders.web.strip import Cell
from open_orders.web.verdict import Verdict, read_verdict
from open_orders.web.verdict_queries import LogRow, read_latest

router = APIRouter()
LATEST = 5


@router.get(
    "/api/health",
    tags=["verdict"],
    dependencies=[Depends(require(JOB_LOGS))],
    response_model=api_types.Verdict,
    responses={503: {"description": "The same, while the job does not work", "model": api_types.Verdict}},
)
def health(job: JobName) -> Response:
    """Return 200 while the job works (green, amber), else 503: red, no run yet, orders database unreachable.

    Of another job than the sync of the open orders 404 until it has a job log.
    """
    with read() as session:
        if job != SYNC_DAG_ID and not logs_itself(session, job):
            raise NotFoundError(f"There is no job {visible(job)} with a job log.")
        verdict = read_verdict(session, datetime.now(UTC), job)
    return JSONResponse(describe(verdict), 200 if verdict.sync_is_usable else 503)


@router.get("/api/panel", tags=["verdict"])
def panel(reader: JobLogsReader) -> api_types.Panel:
    """Return the verdict, the cells of the 24-hour strip and the last five job logs."""
    with read() as session:
        now = datetime.now(UTC)
        verdict = read_verdict(session, now)
        latest = read_latest(session, SYNC_DAG_ID, LATEST)
    return {
        **describe(verdict),
        "cells": [_describe_cell(cell) for cell in verdict.cells],
        "job_logs": [_describe_log(log) for log in latest],
        "may_read_open_orders": reader.may_read("Open Orders"),
    }


@router.get("/verdict", include_in_schema=False)
def fragment(request: Request, reader: JobLogsReader, job: JobName) -> Response:
    """Return the verdict's part of a page, for a page that is open to bring it up to date."""
    with read() as session:
        verdict = read_verdict(session, datetime.now(UTC), job)
    return render(request, reader, "verdict.html", verdict=verdict)


def describe(verdict: Verdict) -> api_types.Verdict:
    """Return the verdict as the API gives it: stable names, ISO times in UTC."""
    last = verdict.last_success
    return {
        "level": verdict.level,
        "headline": verdict.headline,
        "sentence": verdict.sentence,
        "last_success": None if last is None else {"name": last.name, "completed_at": iso_utc(last.completed_at)},
        "runs_expected": verdict.expected,
        "runs_succeeded": verdict.succeeded,
        "runs_failed": verdict.errors,
        "runs_missed": verdict.missed,
        "paused": verdict.paused,
        "next_run_at": iso(verdict.next_run_at),
        "amber_at": iso(verdict.amber_at),
        "red_at": iso(verdict.red_at),
        "as_of": iso_utc(verdict.now),
    }


def _describe_cell(cell: Cell) -> api_types.Cell:
    return {
        "at": iso_utc(cell.at),
        "until": iso_utc(cell.until),
        "outcome": cell.outcome,
        "words": cell.words,
        "job_log": cell.name,
        "duration_s": cell.duration_s,
        "height": cell.height,
    }


def _describe_log(log: LogRow) -> api_types.LatestLog:
    return {
        "name": log.name,
        "status": status_word(log.status),
        "started_at": iso_utc(log.started_at),
        "completed_at": iso(log.completed_at),
        "error_summary": log.error_summary,
    }

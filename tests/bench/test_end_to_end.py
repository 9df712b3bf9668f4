"""The bench from trigger to success: how it reads Airflow's times, and that it runs through."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.end_to_end import EMPTY, OVER_BUDGET, SYNC, RunTimes, TaskTimes, read_times, render
from tests.bench.test_web_pages import run_bench


def test_times_are_from_trigger_to_success_and_between_tasks() -> None:
    run = {"queued_at": "2026-01-01T00:00:00Z", "end_date": "2026-01-01T00:00:04.5Z"}
    second = {"task_id": "b", "start_date": "2026-01-01T00:00:02.5Z", "end_date": "2026-01-01T00:00:04Z"}
    first = {"task_id": "a", "start_date": "2026-01-01T00:00:01Z", "end_date": "2026-01-01T00:00:02Z"}
    assert read_times(run, [second, first]) == RunTimes(4.5, (TaskTimes("a", 1, 1), TaskTimes("b", 0.5, 1.5)))


def test_report_compares_medians() -> None:
    runs = {name: [RunTimes(total, (TaskTimes("a", 0.2, total),)) for total in (1.0, 9.0, 3.0)] for name in (SYNC,)}
    report = render(100, 3, runs | {EMPTY: [RunTimes(2.0, (TaskTimes("first", 0.1, 0.5),))]})
    assert "**1.50 times**" in report
    assert f"| {SYNC}, a | 0.20 | 3.00 |" in report
    assert f"| **{SYNC}** | | **3.00** (1.00 to 9.00) |" in report


@pytest.mark.full
def test_small_run_reports_both_dags(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    done = run_bench("end_to_end", "--rows", "1000", "--runs", "1", "--output", str(report))
    assert done.returncode in (0, OVER_BUDGET), done.stdout + done.stderr
    assert report.read_text().count(" | ") > 20

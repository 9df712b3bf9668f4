"""The bench of the downloads, at a small size: every file is downloaded whole; how fast is no test's business."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.exports import OVER_LIMIT
from bench.exports_report import MOST_GROWTH_MB, Download, growing
from tests.bench.test_web_pages import run_bench


@pytest.mark.full
def test_small_run_reports_every_file(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    size = ["--logs", "10", "--largest-log", "3000", "--open-orders", "2000"]
    done = run_bench("exports", *size, "--output", str(report))
    assert done.returncode in (0, OVER_LIMIT), done.stdout + done.stderr
    rows = re.findall(
        r"^\| ([^|]+?) \| ([\d,]+) \| [\d.]+ \| ([\d.]+) \| ([\d,]+) \|", report.read_text(), re.MULTILINE
    )
    assert {name: lines for name, lines, *_ in rows} == {
        "CSV, one warehouse": "650", "CSV, all": "2,000", "CSV, all, sorted by amount": "2,000",
        "XLSX, one warehouse": "650", "XLSX, all": "2,000", "largest job log as text": "3,000",
    }  # fmt: skip


def test_streamed_file_whose_memory_grows_is_named() -> None:
    calm = Download("CSV", True, 1000, 0.1, 1.0, 1.0, 10**8, 10**8 + 10**6)
    grown = replace(calm, memory_most=10**8 + (MOST_GROWTH_MB + 1) * 10**6)
    assert growing([calm, replace(grown, streamed=False)]) == []
    [problem] = growing([grown])
    assert "CSV" in problem

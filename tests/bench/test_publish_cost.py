"""The bench of what a publish costs, at a small size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.moving_rows import GOAL_MISSED
from tests.bench.test_web_pages import run_bench


@pytest.mark.timeout(600)
def test_small_run_counts_what_each_share_of_changes_costs(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    done = run_bench("publish_cost", "--small", "--output", str(report))
    # With so few rows most of what is written is not of the orders: the job log, and what PostgreSQL does besides.
    assert done.returncode in (0, GOAL_MISSED), done.stdout + done.stderr
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \| [\d.]+ \|$", report.read_text(), re.MULTILINE)
    wal_kb, dead = ({row[0]: int(row[index].replace(",", "")) for row in rows} for index in (1, 2))
    none, few, all_changed = (f"this pipeline, {share} changed" for share in ("0%", "1%", "100%"))
    assert wal_kb[all_changed] > max(wal_kb[none], wal_kb[few])
    assert dead[few] - dead[none] == 10
    assert dead[all_changed] - dead[none] == 1000

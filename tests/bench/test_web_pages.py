"""The bench of the pages, at a small size: it runs through and reports every page; how fast is no test's business."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from bench.web_pages import OVER_BUDGET

ROOT = Path(__file__).parents[2]


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return subprocess.run(
        [ROOT / "bin" / "bench", *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.full
def test_small_run_reports_every_page_with_its_query_plans(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    size = ["--logs", "2000", "--largest-log", "3000", "--open-orders", "1000", "--requests", "1"]
    done = run_bench("web_pages", *size, "--output", str(report))
    # A machine that is busy with other tests may be too slow.
    assert done.returncode in (0, OVER_BUDGET), done.stdout + done.stderr
    text = report.read_text()
    assert "2,000 job logs with 26,988 messages" in text
    rows = re.findall(r"^\| ([a-z ]+): ([^|]+?)(?: \*\*over\*\*)? \|(.+)\|$", text, re.MULTILINE)
    groups = [group for group, *_ in rows]
    assert {group: groups.count(group) for group in set(groups)} == {
        "list": 28, "detail": 11, "api": 11, "open orders": 62,
    }  # fmt: skip
    for _, page, figures in rows:
        least, median, _, complete, _, ratio, _, queries, _, size_kb = (figure.strip() for figure in figures.split("|"))
        assert 0 < float(least) <= float(median), page
        assert float(ratio) > 0, page
        assert bool(complete) == page.startswith("anew: "), page
        assert re.fullmatch(r"[\d.]+ \+ [\d.]+", queries), page
        assert size_kb.isdecimal(), page
    for table in ("job_logs", "job_log_details"):
        assert re.search(rf"Index (Only )?Scan .*on {table}", text), table
    assert len(re.findall(r" × peer$", done.stdout, re.MULTILINE)) >= len(rows)


def test_without_a_name_the_benches_are_listed() -> None:
    for arguments in ([], ["--help"]):
        done = run_bench(*arguments)
        assert done.returncode == 0
        assert "web_pages" in done.stdout
    unknown = run_bench("no_such_bench")
    assert unknown.returncode == 2
    assert "web_pages" in unknown.stderr


def test_help_says_what_is_measured() -> None:
    done = run_bench("web_pages", "--help")
    assert done.returncode == 0
    assert "--details-per-log" in done.stdout

"""The bench of what is past one machine, at a small size: a replica serves all pages, partitions keep all messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.replica import PAGES, PRIMARY, REPLICA
from tests.bench.test_web_pages import run_bench

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


def run(part: str, tmp_path: Path) -> str:
    report = tmp_path / "report.md"
    done = run_bench("past_one_machine", "--small", "--only", part, "--output", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    return report.read_text()


def test_every_page_answers_from_a_replica_that_shows_what_was_published(tmp_path: Path) -> None:
    report = run("replica", tmp_path)
    answered = re.search(r"(\d+) of (\d+) pages and API calls answer from the replica", report)
    assert answered is not None
    assert answered[1] == answered[2]
    assert [line.split(" |")[0] for line in report.splitlines() if re.match(r"\| (all|none|1 %) ", line)] == [
        "| all new", "| none changed", "| 1 % changed", "| all changed",
    ]  # fmt: skip
    for page in PAGES:
        for reads in (PRIMARY, REPLICA):
            assert f"| {page} | {reads} |" in report


def test_a_month_goes_in_batches_and_with_its_partition(tmp_path: Path) -> None:
    report = run("partitions", tmp_path)
    assert "exclusive lock on `job_log_details`" in report
    deleted = re.findall(r"^\| (deleted in batches|its partition dropped) \| ([\d,]+) \|", report, re.MULTILINE)
    assert len(deleted) == 2
    assert all(int(rows.replace(",", "")) > 10_000 for _, rows in deleted)
    blocks = re.findall(
        r"^\| detail: a usual log \| [\d.]+ \| [\d.]+ \| (\d+) \| [\d.]+ \| [\d.]+ \| (\d+) \|$", report, re.M
    )
    # A log's messages are looked for in each partition, since nobody says when they were written.
    assert int(blocks[0][1]) > int(blocks[0][0]) > 0

"""The bench of many viewers, at a small size: all that open pages ask is asked; how fast is no test's business."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.page_scripts import ViewerError, data, interval_s
from bench.viewers import OVER_LIMIT
from bench.viewers_report import HEALTH, Connections, Load, problems
from tests.bench.test_web_pages import run_bench


@pytest.mark.full
def test_small_run_reports_every_request_of_an_open_page_and_the_connections(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    size = ["--logs", "500", "--largest-log", "50", "--open-orders", "1000", "--viewers", "10", "--seconds", "30"]
    done = run_bench("viewers", *size, "--output", str(report))
    # A machine that is busy with other tests may be too slow.
    assert done.returncode in (0, OVER_LIMIT), done.stdout + done.stderr
    text = report.read_text()
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+) \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$", text, re.MULTILINE))
    assert rows.keys() == {
        "Airflow's health endpoint, without viewers", "Airflow's health endpoint, with viewers", "activity", "banner",
        "freshness", "list of job logs", "list of open orders", "live tail", "new lines", "panel", "running job log",
    }  # fmt: skip
    connections = re.findall(r"^\| connections to the database (\w+) \| \d+ \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert [database for database, _, _ in connections] == ["orders", "airflow"]
    for _, found, most in connections:
        assert 0 < int(found) <= int(most)


def test_what_is_too_slow_or_too_much_is_named() -> None:
    calm = Load({HEALTH: [5.0] * 20, "panel": [20.0] * 20}, 0.1, Connections())
    assert problems(calm, calm) == []
    crowd = Connections()
    crowd.note({("orders", "open_orders web"): 7, ("orders", "other"): 90, ("airflow", ""): 3})
    crowd.note({("orders", "open_orders web"): 1})
    found = problems(calm, Load({HEALTH: [5.0] * 18 + [900.0] * 2, "panel": [20.0] * 20}, 0.9, crowd))
    assert len(found) == 2
    assert HEALTH in found[0]
    assert "found 97" in found[1]


def test_intervals_are_those_of_the_scripts() -> None:
    assert interval_s("job_logs.js", "ACTIVE_MS") == 2
    assert interval_s("open_orders.js", "everyMs") == 10
    with pytest.raises(ViewerError, match="NO_SUCH_MS"):
        interval_s("job_logs.js", "NO_SUCH_MS")


def test_attribute_of_a_page_is_found_or_missed_aloud() -> None:
    assert data('<div data-last-id="7" data-id="8" data-version="1/&quot;a&quot;">', "version") == '1/"a"'
    assert data('<div data-last-id="7" data-id="8">', "id") == "8"
    with pytest.raises(ViewerError, match="data-lines"):
        data("<div>", "lines")

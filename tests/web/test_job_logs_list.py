"""The list of job logs: order, paging, filters, counts, search, what is said when there is nothing."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from open_orders.job_status import JobStatus
from open_orders.web import verdict
from open_orders.web.airflow_dag import DagState
from open_orders.web.job_log_trend import shape_of
from tests.web.job_logs import add_details, add_log
from tests.web.web_client import WebClient

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)
Orders = psycopg.Connection[Any]


def add_many(orders: Orders, count: int) -> list[str]:
    """Add successes five minutes apart; return their names, newest first."""
    return [add_log(orders, NOW - 5 * (number + 1) * MINUTE) for number in reversed(range(count))][::-1]


def names(page: str) -> list[str]:
    """Return the names in the table, in order."""
    return re.findall(r'<th scope="row"><a href="[^"]*">(\d{8}_\d{6}(?:_\d+)?)</a>', page)


def link(page: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    assert found
    return found[1].replace("&amp;", "&")


def test_empty_list_says_how_to_trigger_a_run(web: WebClient) -> None:
    page = web.get("/job_logs/").text
    assert "No job logs yet" in page
    assert "airflow dags trigger sync_open_orders" in page


def test_no_match_is_another_message_than_nothing_yet(web: WebClient, orders: Orders) -> None:
    add_log(orders, NOW)
    page = web.get("/job_logs/?status=error").text
    assert "No job log matches" in page
    assert "No job logs yet" not in page


def test_newest_is_first_and_paging_appears_from_26_logs_on(web: WebClient, orders: Orders) -> None:
    made = add_many(orders, 25)
    page = web.get("/job_logs/").text
    assert names(page) == made
    assert 'rel="next"' not in page
    newest = add_log(orders, NOW)
    page = web.get("/job_logs/").text
    assert names(page) == [newest, *made[:24]]
    assert 'rel="prev"' not in page


def test_pages_cover_every_log_once_in_both_directions(web: WebClient, orders: Orders) -> None:
    made = add_many(orders, 60)
    first = web.get("/job_logs/").text
    second = web.get(link(first, "next")).text
    third = web.get(link(second, "next")).text
    assert names(first) + names(second) + names(third) == made
    assert 'rel="next"' not in third
    assert names(web.get(link(third, "prev")).text) == names(second)
    back = web.get(link(second, "prev")).text
    assert names(back) == names(first)
    assert 'rel="prev"' not in back


def test_logs_of_one_instant_are_neither_lost_nor_repeated(web: WebClient, orders: Orders) -> None:
    made = {add_log(orders, NOW, name=f"20260101_000000_{number}", run_id=str(number)) for number in range(1, 31)}
    first = web.get("/job_logs/").text
    second = web.get(link(first, "next")).text
    assert set(names(first)) | set(names(second)) == made
    assert len(names(first)) + len(names(second)) == 30


def test_row_shows_the_run(web: WebClient, orders: Orders) -> None:
    counts = {"fetched": 10231, "inserted": 12, "updated": 40, "deleted": 9, "rejected": 3}
    add_log(orders, NOW - MINUTE, scheduled=False, triggered_by="ada", took=timedelta(seconds=4.2), **counts)
    row = re.search(r"<tbody>(.*?)</tbody>", web.get("/job_logs/").text, re.DOTALL)
    assert row
    for part in ("success", "manual by", "ada", "4.2 s", "10,231", ">12<", ">40<", ">9<", ">3<", "+00:00"):
        assert part in row[1]


def test_start_has_its_date_when_it_is_not_of_the_last_day(web: WebClient, orders: Orders) -> None:
    old = NOW - timedelta(days=3)
    add_log(orders, old)
    add_log(orders, NOW)
    cells = re.findall(r'<td class="when"><time [^>]*>([^<]*)</time>', web.get("/job_logs/").text)
    assert cells == [f"{NOW:%H:%M:%S} +00:00", f"{old:%Y-%m-%d %H:%M:%S} +00:00"]


def test_run_now_says_that_a_paused_dag_lets_the_run_wait(
    web: WebClient, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "the run will wait" not in web.get("/job_logs/").text
    monkeypatch.setattr(verdict, "read_dag_state", lambda _dag_id: DagState("*/5 * * * *", is_paused=True))
    assert "the run will wait until somebody unpauses it" in web.get("/job_logs/").text


def test_status_filter_keeps_that_status_and_every_status_is_counted(web: WebClient, orders: Orders) -> None:
    add_many(orders, 3)
    failed = add_log(orders, NOW, JobStatus.ERROR)
    page = web.get("/job_logs/?status=error").text
    assert names(page) == [failed]
    assert re.search(r"Success <span class=\"muted\">3</span>", page)
    assert re.search(r"Error <span class=\"muted\">1</span>", page)


def test_counts_stop_at_a_thousand(web: WebClient, orders: Orders) -> None:
    orders.execute(
        "INSERT INTO job_logs (name, job_name, status, dag_id, run_id, trigger, started_at, heartbeat_at, created_at)"
        " SELECT 'n' || i, 'sync_open_orders', 2, 'd', i::text, 'scheduled', now(), now(), now() - i * interval '1 min'"
        " FROM generate_series(1, 1001) i"
    )
    assert "1,000+" in web.get("/job_logs/").text


def test_log_without_heartbeat_is_shown_and_filtered_as_interrupted(web: WebClient, orders: Orders) -> None:
    dead = add_log(orders, NOW - timedelta(hours=1), JobStatus.PROCESSING, step="fetch")
    alive = add_log(orders, NOW, JobStatus.PROCESSING, heartbeat_at=datetime.now(UTC))
    page = web.get("/job_logs/?status=interrupted").text
    assert names(page) == [dead]
    assert "no sign of life since" in page
    assert names(web.get("/job_logs/?status=processing").text) == [alive]


def test_job_filter_offers_all_jobs(web: WebClient, orders: Orders) -> None:
    add_log(orders, NOW)
    other = add_log(orders, NOW - MINUTE, job_name="maintain_job_logs", dag_id="maintain_job_logs")
    page = web.get("/job_logs/?job=maintain_job_logs").text
    assert names(page) == [other]
    assert '<option value="sync_open_orders">' in page
    assert '<option value="maintain_job_logs" selected>' in page


@pytest.mark.parametrize("zone", ["", "%2B00:00", "+00:00", "Z"])
def test_time_filter_includes_from_and_excludes_to(web: WebClient, orders: Orders, zone: str) -> None:
    add_log(orders, NOW)
    wanted = add_log(orders, NOW - 5 * MINUTE)
    add_log(orders, NOW - 10 * MINUTE)
    since, until = (f"{NOW - minutes * MINUTE:%Y-%m-%dT%H:%M:%S}{zone}" for minutes in (5, 0))
    assert names(web.get(f"/job_logs/?from={since}&to={until}").text) == [wanted]


def test_time_of_the_filter_is_kept_to_the_second_and_its_zone_is_said(web: WebClient) -> None:
    page = web.get("/job_logs/?from=2026-11-24T10:40:33%2B01:00").text
    assert 'value="2026-11-24T09:40" data-moment="2026-11-24T09:40:33+00:00"' in page
    assert '<label for="f-from">From (<span>UTC</span>)</label>' in page


@pytest.mark.parametrize("q", ["CLOSED THE", "20260105_1", "100% of", "row_12"])
def test_text_finds_name_error_and_message_literally(web: WebClient, orders: Orders, q: str) -> None:
    wanted = add_log(
        orders,
        NOW - MINUTE,
        JobStatus.ERROR,
        name="20260105_100000",
        error_summary="fetch: SQL Server closed the connection",
    )
    add_details(orders, wanted, "Read 100% of the table", "Bad row_12")
    other = add_log(orders, NOW, name="20260106_100000")
    add_details(orders, other, "Read 100 and of the table", "Bad rowX12")
    assert names(web.get(f"/job_logs/?q={quote(q)}").text) == [wanted]


def test_whole_name_is_found_however_old(web: WebClient, orders: Orders) -> None:
    old = add_log(orders, NOW - timedelta(days=400))
    assert names(web.get(f"/job_logs/?q={old}").text) == [old]


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "from=yesterday",
        "to=0001-01-01T00:00",
        "before=x",
        "q=%00",
        "after=_1",
        f"before=2026-01-01T00:00_{'9' * 5000}",
        f"before=2026-01-01T00:00_{2**63}",
    ],
)
def test_parameter_that_means_nothing_is_a_bad_request(web: WebClient, query: str) -> None:
    assert web.get(f"/job_logs/?{query}").status_code == 400


def test_run_now_only_for_who_may_trigger_and_not_during_a_run(web: WebClient, orders: Orders) -> None:
    assert 'class="button green" href="/dags/sync_open_orders" target="_top"' in web.get("/job_logs/").text
    add_log(orders, NOW, JobStatus.PROCESSING, heartbeat_at=datetime.now(UTC))
    page = web.get("/job_logs/").text
    assert 'class="button green" role="link" aria-disabled="true"' in page
    web.reader.may_trigger = False
    assert "Run now" not in web.get("/job_logs/").text


def test_buttons_lead_to_open_orders_and_the_jobs_monitor(web: WebClient) -> None:
    page = web.get("/job_logs/").text
    assert 'class="button gray" href="/open_orders/"' in page
    assert 'class="button blue" href="/dags/sync_open_orders" target="_top"' in page
    web.reader.permissions.discard("Open Orders")
    assert 'href="/open_orders/"' not in web.get("/job_logs/").text


def test_slow_run_is_marked_in_the_trend(web: WebClient, orders: Orders) -> None:
    add_many(orders, 10)
    slow = add_log(orders, NOW, took=timedelta(seconds=70))
    page = web.get("/job_logs/").text
    assert f"<title>{slow}: 1 min 10 s, slow</title>" in page
    assert "usually 4.0 s" in page


def test_errors_that_differ_in_numbers_are_one_kind(web: WebClient, orders: Orders) -> None:
    for number in range(3):
        summary = f"fetch: closed after {number},200 rows of 'x{number}'"
        add_log(orders, NOW - (number + 1) * MINUTE, JobStatus.ERROR, error_summary=summary)
    page = web.get("/job_logs/").text
    assert '<span class="count">3×</span> <bdi class="text">fetch: closed after # rows of ‘…’</bdi>' in page


def test_shape_keeps_words() -> None:
    assert shape_of("connect: host 10.1.2.3:1433 did not answer") == "connect: host # did not answer"


def test_hostile_text_is_shown_and_not_run(web: WebClient, orders: Orders) -> None:
    hostile = "<script>alert(1)</script>\x1b[31m\u202e" + "x" * 300
    add_log(orders, NOW, JobStatus.ERROR, job_name="<b>job</b>", triggered_by=hostile, error_summary=hostile)
    page = web.get("/job_logs/?q=%3Cscript%3E").text
    assert "<script>alert" not in page
    assert "<b>job" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;␛[31m⟨U+202E⟩" in page


def test_number_of_queries_does_not_grow_with_the_logs(web: WebClient, orders: Orders, queries: list[str]) -> None:
    counted = []
    for more in (1, 59):
        add_many_at = NOW - timedelta(days=more)
        for number in range(more):
            running = add_log(
                orders, add_many_at - number * MINUTE, JobStatus.PROCESSING if number % 2 else JobStatus.ERROR
            )
            add_details(orders, running, "Batch 1/4: imported 2,500 orders")
        queries.clear()
        assert web.get("/job_logs/").status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1] < 20


def test_running_log_shows_its_batch(web: WebClient, orders: Orders) -> None:
    running = add_log(orders, NOW, JobStatus.PROCESSING, heartbeat_at=datetime.now(UTC), step="import_batches")
    add_details(orders, running, "Batch 1/5: imported 2,500 orders", "Batch 2/5: imported 2,500 orders")
    page = web.get("/job_logs/").text
    assert "Batch 2/5" in page
    assert '<progress value="2" max="5"' in page


def said(page: str) -> list[str]:
    """Return the last cell of each row, without markup."""
    cells = re.findall(r'<td class="said">(.*?)</td>', page, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in cells]


def test_success_shows_its_last_warning_where_an_error_shows_its_reason(web: WebClient, orders: Orders) -> None:
    quiet, warned, rejected, failed = (add_log(orders, NOW - number * MINUTE) for number in range(4))
    add_details(orders, quiet, "Published 3 orders")
    add_details(orders, warned, "SQL Server's clock is wrong", "<b>Published</b> although", level="warning")
    add_details(orders, warned, "Job finished in 4.0 s")
    add_details(orders, rejected, "Batch 1/1: imported 2 orders, rejected 1", level="warning")
    orders.execute("UPDATE job_logs SET status = 3, error_summary = 'fetch: lost' WHERE name = %s", [failed])
    add_details(orders, failed, "Attempt 2 of 3", level="warning")
    page = web.get("/job_logs/").text
    assert said(page) == ["", "Warning: <b>Published</b> although", "", "fetch: lost"]
    assert "<b>Published" not in page


def test_list_says_what_is_kept_for_how_long(web: WebClient) -> None:
    rule = "messages of failed runs 180 days, job logs 365 days, rejected orders 30 days"
    assert f"Kept: messages of successful runs 30 days, {rule}." in web.get("/job_logs/").text

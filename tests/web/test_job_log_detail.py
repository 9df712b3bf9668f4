"""One job log: its summary, its messages, the run tab, the download, and what is said when something is missing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from open_orders.job_status import JobStatus
from open_orders.web import job_log_lines
from tests.web.job_logs import add_details, add_log
from tests.web.web_client import WebClient

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)
Orders = psycopg.Connection[Any]


def messages(page: str) -> list[tuple[str, str]]:
    """Return line number and text of the messages shown."""
    return re.findall(r'<li id="L(\d+)".*?<span class="message"><bdi>(.*?)</bdi>', page, re.DOTALL)


def test_messages_are_numbered_and_in_order(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW)
    add_details(orders, name, "Job started", "Connecting", "Connected")
    assert messages(web.get(f"/job_logs/{name}").text) == [
        ("1", "Job started"),
        ("2", "Connecting"),
        ("3", "Connected"),
    ]


def test_filtered_messages_keep_their_line_numbers(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW)
    add_details(orders, name, "Job started", "Connecting")
    add_details(orders, name, "Attempt 1 of 3 failed", level="error")
    assert messages(web.get(f"/job_logs/{name}?level=error").text) == [("3", "Attempt 1 of 3 failed")]
    page = web.get(f"/job_logs/{name}?q=CONNECT").text
    assert messages(page) == [("2", "Connecting")]
    assert "1 of 3 lines" in page
    assert "No message matches" in web.get(f"/job_logs/{name}?q=nowhere").text


def test_log_without_messages_says_so(web: WebClient, orders: Orders) -> None:
    assert "No messages yet" in web.get(f"/job_logs/{add_log(orders, NOW)}").text


def test_log_whose_messages_were_too_old_to_be_kept_says_so(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW - timedelta(days=31), details_deleted_at=NOW)
    page = " ".join(web.get(f"/job_logs/{name}").text.split())
    assert "No messages yet" not in page
    assert "The messages of this run were deleted" in page
    assert "Those of successful runs are kept for 30 days." in page
    assert " were deleted\n" in web.get(f"/job_logs/{name}/download.txt").text
    add_details(orders, name, "Run cleared")
    assert "Earlier messages of this run were deleted" in web.get(f"/job_logs/{name}").text


def test_summary_shows_counts_and_links_to_run_and_tasks(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW, run_id="manual__1+00:00", fetched=10234, imported=10231, rejected=3, total_after=10231)
    add_details(orders, name, "Connected", task_id="connect")
    add_details(orders, name, "Fetched", task_id="fetch")
    page = web.get(f"/job_logs/{name}").text
    for count in ("10,234", "10,231", ">3<"):
        assert count in page
    run = "/dags/sync_open_orders/runs/manual__1%2B00%3A00"
    assert f'href="{run}" target="_top"' in page
    assert f'href="{run}/tasks/connect?try_number=1" target="_top"' in page


def test_error_says_step_reason_and_which_data_still_hold(web: WebClient, orders: Orders) -> None:
    good = add_log(orders, NOW - 5 * MINUTE)
    error = "fetch: SQL Server closed the connection"
    failed = add_log(orders, NOW, JobStatus.ERROR, step="fetch", error_summary=error)
    page = web.get(f"/job_logs/{failed}").text
    assert "Failed in fetch." in page
    assert '<bdi class="text">SQL Server closed the connection</bdi>' in page
    assert re.search(rf"still shows the data of\s+<a href=\"/job_logs/{good}\"", page)
    later = add_log(orders, NOW + MINUTE)
    assert re.search(rf"Since then <a href=\"/job_logs/{later}\"", web.get(f"/job_logs/{failed}").text)


def test_error_without_any_success_says_so(web: WebClient, orders: Orders) -> None:
    failed = add_log(orders, NOW, JobStatus.ERROR)
    assert "No run of this job has succeeded yet" in web.get(f"/job_logs/{failed}").text


def test_log_without_heartbeat_is_interrupted_since_its_last_one(web: WebClient, orders: Orders) -> None:
    beat = NOW - timedelta(hours=1)
    name = add_log(orders, NOW - timedelta(hours=2), JobStatus.PROCESSING, step="fetch", heartbeat_at=beat)
    page = web.get(f"/job_logs/{name}").text
    assert "Interrupted in fetch." in page
    assert f'datetime="{beat.isoformat()}"' in page
    assert 'data-active="0"' in page


def test_running_log_is_live_and_shows_its_batches(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW, JobStatus.PROCESSING, heartbeat_at=datetime.now(UTC))
    (last_id,) = add_details(orders, name, "Batch 3/5: imported 2,500 orders")
    page = web.get(f"/job_logs/{name}").text
    assert '<progress value="3" max="5"' in page
    assert f'data-last-id="{last_id}"' in page
    assert 'data-active="1"' in page


def test_previous_and_next_are_of_the_same_job(web: WebClient, orders: Orders) -> None:
    first, second, third = (add_log(orders, NOW + number * 5 * MINUTE) for number in range(3))
    add_log(orders, NOW + 6 * MINUTE, job_name="maintain_job_logs")
    page = web.get(f"/job_logs/{second}").text
    assert f'rel="prev" href="/job_logs/{first}"' in page
    assert f'rel="next" href="/job_logs/{third}"' in page
    assert 'rel="prev"' not in web.get(f"/job_logs/{first}").text
    assert 'rel="next"' not in web.get(f"/job_logs/{third}").text


def test_way_back_keeps_the_filters_of_the_list(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW, JobStatus.ERROR)
    add_log(orders, NOW + MINUTE)
    link = re.search(rf'href="(/job_logs/{name}\?back=[^"]*)"', web.get("/job_logs/?status=error&q=SQL").text)
    assert link
    page = web.get(link[1]).text
    assert 'href="/job_logs/?status=error&amp;q=SQL"' in page
    # The neighbour's page leads back to the same list.
    assert 'rel="next" href="/job_logs/' in page
    assert "?back=status%3Derror%26q%3DSQL" in page


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/?x=1", '"><script>', "status=error&evil=1"])
def test_way_back_leads_only_to_the_list(web: WebClient, orders: Orders, back: str) -> None:
    page = web.get(f"/job_logs/{add_log(orders, NOW)}?back={quote(back)}").text
    assert "evil" not in page
    assert "<script>" not in page


def test_unknown_log_is_a_404_page(web: WebClient) -> None:
    page = web.get("/job_logs/20200101_000000")
    assert page.status_code == 404
    assert "no job log 20200101_000000" in page.text
    assert web.get("/job_logs/%00").status_code == 404


def test_hostile_messages_are_shown_and_not_run(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW)
    add_details(orders, name, "<script>alert(1)</script>", "\x1b[31mred\u202e", "x" * 10_000)
    page = web.get(f"/job_logs/{name}").text
    assert "<script>alert" not in page
    assert messages(page)[1][1] == "␛[31mred⟨U+202E⟩"
    assert "x" * 10_000 in page


def test_tab_of_a_run_shows_its_log(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW, run_id="manual__2026-01-01T00:00:00+00:00")
    add_details(orders, name, "Job started")
    page = web.get("/job_logs/run?dag_id=sync_open_orders&run_id=manual__2026-01-01T00%3A00%3A00%2B00%3A00").text
    assert name in page
    assert messages(page) == [("1", "Job started")]


def test_tab_of_a_run_without_a_log_says_why(web: WebClient, orders: Orders) -> None:
    add_log(orders, NOW, dag_id="other_job")
    for dag_id in ("sync_open_orders", "other_job"):
        assert "has no job log" in web.get(f"/job_logs/run?dag_id={dag_id}&run_id=unknown").text
    page = web.get("/job_logs/run?dag_id=example&run_id=unknown").text
    assert "does not write job logs" in page
    assert "None of its runs has so far" in page
    assert "No run was named" in web.get("/job_logs/run").text


def test_download_is_text_with_every_message(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW, JobStatus.ERROR)
    add_details(orders, name, *(f"message {number}" for number in range(30)))
    add_details(orders, name, "two\nlines \x1b[0m")
    answer = web.get(f"/job_logs/{name}/download.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="job_log_{name}.txt"'
    assert len(re.findall(r"message \d+\n", answer.text)) == 30
    assert answer.text.endswith("two\n    lines ␛[0m\n")
    assert web.get("/job_logs/20200101_000000/download.txt").status_code == 404


@pytest.fixture
def long_log(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a log with more messages than a page shows, of which the last but one is an error."""
    monkeypatch.setattr(job_log_lines, "MOST_LINES", 3)
    name = add_log(orders, NOW, heartbeat_at=datetime.now(UTC))
    add_details(orders, name, "1", "2", "3", "4", "5", "6")
    add_details(orders, name, "the needle", level="error", task_id="publish")
    add_details(orders, name, "8")
    return name


def numbers(page: str) -> list[int]:
    return [int(number) for number, _ in messages(page)]


def lines_link(page: str, rel: str) -> str:
    return re.findall(rf'rel="{rel}" href="([^"]*line=[^"]*)"', page)[0].replace("&amp;", "&")


def test_every_line_of_a_very_long_log_is_reached_in_both_directions(web: WebClient, long_log: str) -> None:
    address = f"/job_logs/{long_log}"
    first = web.get(address).text
    second = web.get(address + lines_link(first, "next")).text
    third = web.get(address + lines_link(second, "next")).text
    assert [numbers(page) for page in (first, second, third)] == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert numbers(web.get(address + lines_link(third, "prev")).text) == [4, 5, 6]
    for page, rel in ((first, "prev"), (third, "next")):
        assert re.findall(rf'rel="{rel}" href="[^"]*line=', page) == []


@pytest.mark.parametrize("query", ["level=error", "q=NEEDLE", "level=error&q=needle"])
def test_error_beyond_the_first_lines_is_found(web: WebClient, long_log: str, query: str) -> None:
    page = web.get(f"/job_logs/{long_log}?{query}").text
    assert messages(page) == [("7", "the needle")]
    assert "1 of 8 lines" in page


def test_lines_that_a_filter_keeps_are_reached_part_by_part(web: WebClient, long_log: str) -> None:
    address = f"/job_logs/{long_log}"
    first = web.get(f"{address}?level=info&back=status%3Derror").text
    second = web.get(address + lines_link(first, "next")).text
    assert (numbers(first), numbers(second)) == ([1, 2, 3], [4, 5, 6])
    assert numbers(web.get(address + lines_link(second, "next")).text) == [8]
    assert 'href="/job_logs/?status=error"' in second


def test_line_of_a_permalink_is_the_first_of_its_page(web: WebClient, long_log: str) -> None:
    page = web.get(f"/job_logs/{long_log}?line=5").text
    assert numbers(page) == [5, 6, 7]
    assert numbers(web.get(f"/job_logs/{long_log}{lines_link(page, 'prev')}").text) == [2, 3, 4]
    assert "No message matches from here on" in web.get(f"/job_logs/{long_log}?line=99").text


def test_running_log_opens_at_its_last_lines(web: WebClient, orders: Orders, long_log: str) -> None:
    orders.execute("UPDATE job_logs SET status = 1, heartbeat_at = now() WHERE name = %s", [long_log])
    page = web.get(f"/job_logs/{long_log}").text
    assert numbers(page) == [6, 7, 8]
    assert numbers(web.get(f"/job_logs/{long_log}?line=1").text) == [1, 2, 3]
    # What an open page asks for when there is something new.
    assert numbers(web.get(f"/job_logs/{long_log}?line=8").text) == [8]


def test_tasks_of_all_messages_are_linked_with_their_last_attempt(
    web: WebClient, orders: Orders, long_log: str
) -> None:
    orders.execute("UPDATE job_log_details SET try_number = 2 WHERE message = '6'")
    page = web.get(f"/job_logs/{long_log}").text
    assert re.findall(r"/tasks/(\w+)\?try_number=(\d)", page) == [("fetch", "2"), ("publish", "1")]


@pytest.mark.parametrize(
    ("query", "status"),
    [("q=%00", 400), ("line=0", 422), ("line=x", 422), (f"line={2**40}", 422), ("level=debug", 422)],
)
def test_choice_of_lines_that_means_nothing_is_told(web: WebClient, long_log: str, query: str, status: int) -> None:
    assert web.get(f"/job_logs/{long_log}?{query}").status_code == status


def test_number_of_queries_does_not_grow_with_the_messages(web: WebClient, orders: Orders, queries: list[str]) -> None:
    name = add_log(orders, NOW)
    counted = []
    for count in (1, 200):
        add_details(orders, name, *("message" for _ in range(count)))
        queries.clear()
        assert web.get(f"/job_logs/{name}").status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1] < 10

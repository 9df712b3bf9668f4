"""The job logs as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from open_orders.job_status import JobStatus
from tests.web.job_logs import add_details, add_log
from tests.web.web_client import WebClient

NOW = datetime.now(UTC).replace(microsecond=0)
Orders = psycopg.Connection[Any]


def ask(web: WebClient, path: str) -> Any:
    answer = web.get(f"/job_logs/api{path}", accept="application/json")
    assert answer.status_code == 200
    return answer.json()


def test_log_has_stable_names_and_iso_times(web: WebClient, orders: Orders) -> None:
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    name = add_log(orders, started, fetched=10, imported=9, rejected=1, inserted=2, updated=3, deleted=4, total_after=9)
    assert ask(web, f"/job_logs/{name}") == {
        "name": "20260102_030405",
        "job_name": "sync_open_orders",
        "status": "success",
        "active": False,
        "dag_id": "sync_open_orders",
        "run_id": "scheduled__2026-01-02T03:04:00+00:00",
        "trigger": "scheduled",
        "triggered_by": None,
        "started_at": "2026-01-02T03:04:05+00:00",
        "completed_at": "2026-01-02T03:04:09+00:00",
        "heartbeat_at": "2026-01-02T03:04:09+00:00",
        "duration_s": 4.0,
        "fetched": 10,
        "imported": 9,
        "rejected": 1,
        "inserted": 2,
        "updated": 3,
        "deleted": 4,
        "total_after": 9,
        "step": None,
        "step_try": None,
        "batch": None,
        "batches": None,
        "error_summary": None,
        "details_deleted_at": None,
    }


def test_list_pages_with_the_filters_of_the_page(web: WebClient, orders: Orders) -> None:
    made = [add_log(orders, NOW - timedelta(minutes=number), JobStatus.ERROR) for number in range(5)]
    add_log(orders, NOW + timedelta(minutes=1))
    first = ask(web, "/job_logs?status=error&limit=2")
    second = ask(web, f"/job_logs?status=error&limit=2&before={first['older'].replace('+', '%2B')}")
    assert [log["name"] for log in first["job_logs"] + second["job_logs"]] == made[:4]
    assert (first["newer"], first["searched_since"]) == (None, None)
    back = ask(web, f"/job_logs?status=error&limit=2&after={second['newer'].replace('+', '%2B')}")
    assert [log["name"] for log in back["job_logs"]] == made[:2]


def test_details_after_an_id_are_only_the_new_ones(web: WebClient, orders: Orders) -> None:
    name = add_log(orders, NOW, JobStatus.PROCESSING, heartbeat_at=datetime.now(UTC))
    first, second = add_details(orders, name, "one", "two")
    answer = ask(web, f"/job_logs/{name}/details?after={first}")
    assert [(detail["id"], detail["message"]) for detail in answer["details"]] == [(second, "two")]
    assert (answer["status"], answer["active"], answer["last_id"]) == ("processing", True, second)
    assert ask(web, f"/job_logs/{name}/details?after={second}")["details"] == []


def test_activity_changes_when_a_run_begins_moves_and_ends(web: WebClient, orders: Orders) -> None:
    seen = [ask(web, "/activity")]
    assert seen[0]["active"] == 0
    name = add_log(orders, NOW, JobStatus.PROCESSING, heartbeat_at=datetime.now(UTC))
    seen.append(ask(web, "/activity"))
    assert seen[1]["active"] == 1
    orders.execute("UPDATE job_logs SET fetched = 5, updated_at = clock_timestamp() WHERE name = %s", [name])
    seen.append(ask(web, "/activity"))
    orders.execute("UPDATE job_logs SET status = 2 WHERE name = %s", [name])
    seen.append(ask(web, "/activity"))
    assert seen[3]["active"] == 0
    assert len({answer["version"] for answer in seen}) == 4
    assert ask(web, "/activity") == seen[3]


def test_errors_are_problem_json(web: WebClient) -> None:
    for path, status in (("/job_logs/unknown", 404), ("/job_logs?status=done", 400), ("/job_logs?limit=0", 422)):
        answer = web.get(f"/job_logs/api{path}", accept="application/json")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status

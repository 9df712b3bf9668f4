from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from open_orders.job_status import JobStatus
from open_orders.web import verdict
from open_orders.web.airflow_dag import DagState
from open_orders.web.database import read
from open_orders.web.verdict import Verdict, read_verdict
from tests.web.job_logs import add_log
from tests.web.web_client import WebClient

NOW = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
EVERY_FIVE_MINUTES = DagState("*/5 * * * *", False, NOW + timedelta(minutes=3))
Orders = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def dag(monkeypatch: pytest.MonkeyPatch) -> list[DagState]:
    """Return the list whose last entry is what Airflow says of every DAG."""
    states = [EVERY_FIVE_MINUTES]
    monkeypatch.setattr(verdict, "read_dag_state", lambda _dag_id: states[-1])
    return states


def judged(now: datetime = NOW, **job: str) -> Verdict:
    with read() as session:
        return read_verdict(session, now, **job)


def add_day(orders: Orders, *, until: datetime = NOW, without: tuple[str, ...] = ()) -> None:
    moment = NOW - timedelta(days=2)
    moment = moment.replace(minute=40, second=1)
    while moment <= until:
        if f"{moment:%H:%M}" not in without or moment < NOW - timedelta(days=1):
            add_log(orders, moment)
        moment += timedelta(minutes=5)


def test_no_run_yet_is_unknown_and_misses_nothing(web: WebClient) -> None:
    found = judged()
    assert (found.level, found.headline, found.expected, found.missed) == ("unknown", "No runs yet", 0, 0)
    assert {cell.outcome for cell in found.cells} == {"before"}


def test_full_day_is_healthy(web: WebClient, orders: Orders) -> None:
    add_day(orders)
    found = judged()
    assert (found.level, found.headline) == ("green", "Healthy")
    assert (found.expected, found.succeeded, found.errors, found.missed) == (288, 288, 0, 0)
    assert len(found.cells) == 288
    assert found.sentence.startswith("Healthy · Last success 1 min ago · 288 of 288 expected runs in 24 h succeeded")


def test_run_that_never_started_is_a_gap(web: WebClient, orders: Orders) -> None:
    add_day(orders, without=("03:10", "03:15"))
    found = judged()
    assert (found.expected, found.succeeded, found.missed) == (288, 286, 2)
    assert [f"{cell.at:%H:%M}" for cell in found.cells if cell.outcome == "missed"] == ["03:10", "03:15"]


def test_nothing_is_missed_before_the_first_log(web: WebClient, orders: Orders) -> None:
    add_log(orders, NOW - timedelta(minutes=12), scheduled=False)
    add_log(orders, NOW.replace(minute=35, second=1))
    add_log(orders, NOW.replace(minute=40, second=1))
    found = judged()
    assert (found.expected, found.succeeded, found.missed) == (3, 3, 0)


def test_error_and_interrupted_run_are_told_apart(web: WebClient, orders: Orders) -> None:
    add_day(orders, without=("03:10", "03:15"))
    add_log(orders, NOW.replace(hour=3, minute=10, second=1), JobStatus.ERROR)
    add_log(orders, NOW.replace(hour=3, minute=15, second=1), JobStatus.PROCESSING)
    found = judged()
    outcomes = {f"{cell.at:%H:%M}": cell.outcome for cell in found.cells}
    assert (outcomes["03:10"], outcomes["03:15"]) == ("error", "interrupted")
    assert (found.level, found.errors, found.missed) == ("green", 2, 0)


def test_running_run_is_expected_and_neither_missed_nor_failed(web: WebClient, orders: Orders) -> None:
    add_day(orders, until=NOW - timedelta(minutes=5))
    add_log(orders, NOW.replace(minute=40, second=1), JobStatus.PROCESSING)
    found = judged()
    assert (found.cells[-1].outcome, found.expected, found.succeeded, found.missed) == ("processing", 288, 287, 0)


def test_run_that_is_just_due_is_not_missed_yet(web: WebClient, orders: Orders) -> None:
    add_day(orders, until=NOW - timedelta(minutes=5))
    found = judged()
    assert (found.level, found.cells[-1].outcome, found.missed) == ("green", "due", 0)


def test_manual_run_fills_the_gap_of_its_interval(web: WebClient, orders: Orders) -> None:
    add_day(orders, without=("03:10",))
    add_log(orders, NOW.replace(hour=3, minute=12), scheduled=False)
    assert judged().missed == 0


def test_scheduled_run_that_started_late_counts_for_its_own_moment(web: WebClient, orders: Orders) -> None:
    add_day(orders, without=("03:10",))
    due = NOW.replace(hour=3, minute=10, second=0)
    name = add_log(orders, due + timedelta(minutes=5, seconds=20), run_id=f"scheduled__{due.isoformat()}")
    cells = {f"{cell.at:%H:%M}": cell for cell in judged().cells}
    assert cells["03:10"].name == name
    assert cells["03:15"].outcome == "success"


@pytest.mark.parametrize(
    ("minutes", "level"), [(1, "green"), (9, "green"), (10, "green"), (11, "amber"), (15, "amber"), (16, "red")]
)
def test_level_follows_the_intervals_without_success(web: WebClient, orders: Orders, minutes: int, level: str) -> None:
    add_day(orders)
    # The last success is 09:40's; the runs of 09:45 and 09:50 are missed a minute after they were due.
    found = judged(NOW.replace(minute=40) + timedelta(minutes=minutes))
    assert found.level == level


def test_open_page_knows_when_the_level_will_change(web: WebClient, orders: Orders) -> None:
    add_day(orders)
    found = judged()
    assert (found.amber_at, found.red_at) == (NOW.replace(minute=51), NOW.replace(minute=56))


def test_failed_last_run_is_said(web: WebClient, orders: Orders) -> None:
    add_day(orders, until=NOW - timedelta(minutes=5))
    add_log(orders, NOW.replace(minute=40, second=1), JobStatus.ERROR)
    found = judged()
    assert (found.level, found.headline) == ("amber", "Last run failed")


def test_paused_dag_is_said(web: WebClient, orders: Orders, dag: list[DagState]) -> None:
    add_day(orders)
    dag.append(DagState("*/5 * * * *", is_paused=True))
    assert (judged().level, judged().headline) == ("amber", "Paused")
    late = judged(NOW + timedelta(hours=1))
    assert (late.level, late.headline) == ("red", "Not syncing: the DAG is paused")


def test_airflow_that_does_not_answer_leaves_next_run_unknown(
    web: WebClient, orders: Orders, dag: list[DagState]
) -> None:
    add_day(orders)
    dag.append(DagState())
    found = judged()
    assert (found.level, found.next_run_at, found.paused, found.expected) == ("green", None, None, 288)


def test_health_is_200_while_it_syncs_and_503_when_not(web: WebClient, orders: Orders) -> None:
    never = web.get("/job_logs/api/health", accept="*/*")
    assert (never.status_code, never.json()["level"]) == (503, "unknown")
    now = datetime.now(UTC)
    add_log(orders, now - timedelta(hours=1))
    stale = web.get("/job_logs/api/health", accept="*/*")
    assert (stale.status_code, stale.json()["level"]) == (503, "red")
    name = add_log(orders, now - timedelta(seconds=30), scheduled=False)
    fine = web.get("/job_logs/api/health", accept="*/*")
    assert (fine.status_code, fine.json()["last_success"]["name"]) == (200, name)


def test_health_is_503_without_the_database(web: WebClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", "postgres://nobody@127.0.0.1:1/orders")
    answer = web.get("/job_logs/api/health", accept="*/*")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


def test_panel_has_cells_and_the_last_five_logs(web: WebClient, orders: Orders) -> None:
    names = [add_log(orders, datetime.now(UTC) - timedelta(minutes=minutes)) for minutes in range(1, 8)]
    found = web.get("/job_logs/api/panel", accept="*/*").json()
    assert [log["name"] for log in found["job_logs"]] == names[:5]
    assert len(found["cells"]) == 288


def test_queries_do_not_grow_with_the_logs(web: WebClient, orders: Orders, queries: list[str]) -> None:
    web.get("/job_logs/verdict")
    few = len(queries)
    add_day(orders)
    queries.clear()
    assert web.get("/job_logs/verdict").status_code == 200
    assert len(queries) == few


def test_every_cell_is_linked_and_named(web: WebClient, orders: Orders) -> None:
    now = datetime.now(UTC)
    add_log(orders, now - timedelta(hours=3))
    hostile = "<script>alert(1)</script>\x1b[31m"
    add_log(orders, now - timedelta(minutes=2), JobStatus.ERROR, scheduled=False, error_summary=hostile)
    page = web.get("/job_logs/verdict").text
    assert page.count('<a class="cell') == 288
    assert "never started" in page
    assert "<script>alert" not in page
    assert "\x1b" not in page


OTHER: dict[str, str] = {"job_name": "sync_open_purchase_orders", "dag_id": "sync_open_purchase_orders"}


def test_each_job_has_a_verdict_of_its_own(web: WebClient, orders: Orders, dag: list[DagState]) -> None:
    add_day(orders)
    dag.append(DagState("*/15 * * * *", False, NOW + timedelta(minutes=3)))
    for quarter in range(97):
        moment = NOW.replace(minute=30, second=2) - quarter * timedelta(minutes=15)
        add_log(orders, moment, JobStatus.ERROR if quarter == 0 else JobStatus.SUCCESS, **OTHER)
    found = judged(job="sync_open_purchase_orders")
    assert (found.level, found.headline) == ("amber", "Last run failed")
    assert (found.expected, found.succeeded, found.errors, found.missed) == (96, 95, 1, 0)
    assert (found.amber_at, found.red_at) == (NOW.replace(minute=46), NOW.replace(hour=10, minute=1))
    dag.append(EVERY_FIVE_MINUTES)
    assert (judged().level, judged().succeeded) == ("green", 288)


@pytest.mark.parametrize("schedule", [None, "Asset", "1 day, 0:00:00"])
def test_job_without_a_cron_schedule_is_as_good_as_its_last_run(
    web: WebClient, orders: Orders, dag: list[DagState], schedule: str | None
) -> None:
    dag.append(DagState(schedule, is_paused=False))
    job = OTHER["job_name"]
    assert (judged(job=job).level, judged(job=job).headline) == ("unknown", "No runs yet")
    add_log(orders, NOW - timedelta(days=3), **OTHER)
    found = judged(job=job)
    assert (found.level, found.headline, found.cells, found.amber_at) == ("green", "Last run succeeded", [], None)
    assert found.sentence == "Last run succeeded · Last success 2 d ago"
    add_log(orders, NOW - timedelta(days=2), JobStatus.ERROR, **OTHER)
    add_log(orders, NOW - timedelta(seconds=5), JobStatus.PROCESSING, **OTHER)
    assert (judged(job=job).level, judged(job=job).headline) == ("amber", "Last run failed")


def test_page_shows_and_triggers_the_job_that_it_is_filtered_by(
    web: WebClient, orders: Orders, dag: list[DagState]
) -> None:
    now = datetime.now(UTC)
    add_log(orders, now - timedelta(hours=1))
    add_log(orders, now - timedelta(seconds=20), scheduled=False, **OTHER)
    page = web.get("/job_logs/?job=sync_open_purchase_orders").text
    assert 'data-url="/job_logs/verdict?job=sync_open_purchase_orders"' in page
    assert 'data-dag="sync_open_purchase_orders"' in page
    assert "/dags/sync_open_purchase_orders" in page
    assert 'data-level="green"' in page
    assert 'data-level="red"' in web.get("/job_logs/").text
    assert 'data-level="green"' in web.get("/job_logs/verdict?job=sync_open_purchase_orders").text
    health = "/job_logs/api/health"
    assert web.get(health, accept="*/*").status_code == 503
    assert web.get(f"{health}?job=sync_open_purchase_orders", accept="*/*").status_code == 200
    assert web.get(f"{health}?job=nobody_knows_it", accept="*/*").status_code == 404
    dag.append(DagState())
    assert "data-dag" not in web.get("/job_logs/?job=sync_open_purchase_orders").text
    assert "data-dag" in web.get("/job_logs/").text

"""When a job counts as broken and when it works again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from open_orders.alert_texts import describe, duration, job_log_address
from open_orders.job_standing import Outlook, Record, Standing, judge
from open_orders.settings import Settings

SETTINGS = Settings()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WELL = Standing("sync_open_orders", "well", NOON - 60 * MINUTE)
SUCCEEDED = Record(NOON, 1, "20260301_115500", NOON - 5 * MINUTE)
FAILED = replace(
    SUCCEEDED,
    failures=1,
    failing_since=NOON - MINUTE,
    failed_id=2,
    failed_name="20260301_115900",
    error_summary="fetch: x",
)
BROKEN = judge(WELL, FAILED, SETTINGS)


def outlook(next_run_at: datetime | None, *, is_paused: bool = False) -> Outlook:
    return Outlook(is_paused, next_run_at)


def test_first_failure_breaks_a_job_and_further_ones_change_nothing() -> None:
    assert (BROKEN.state, BROKEN.since, BROKEN.reason, BROKEN.job_log_id) == ("failing", NOON - MINUTE, "fetch: x", 2)
    assert judge(BROKEN, replace(FAILED, failures=7), SETTINGS) == BROKEN


def test_number_of_failures_in_a_row_can_be_set() -> None:
    patient = Settings(alert_after_failures=3)
    assert judge(WELL, replace(FAILED, failures=2), patient).is_well
    assert judge(WELL, replace(FAILED, failures=3), patient).state == "failing"


def test_success_mends_a_job() -> None:
    after = judge(BROKEN, replace(SUCCEEDED, success_id=3, succeeded_at=NOON + MINUTE), SETTINGS)
    assert (after.state, after.since, after.job_log_id) == ("well", NOON + MINUTE, 3)


def test_failed_run_that_was_cleared_is_no_success_yet() -> None:
    assert judge(BROKEN, SUCCEEDED, SETTINGS) == BROKEN


def test_job_of_several_allowed_failures_recovers_although_the_run_after_its_success_failed() -> None:
    patient = Settings(alert_after_failures=2)
    broken = judge(WELL, replace(FAILED, failures=2), patient)
    assert judge(broken, replace(FAILED, succeeded_at=NOON + MINUTE), patient).is_well


def watch(standing: Standing, record: Record, next_run_at: datetime | None, *, is_paused: bool = False) -> Standing:
    return judge(standing, record, SETTINGS, outlook(next_run_at, is_paused=is_paused))


def test_job_without_a_success_for_a_quarter_of_an_hour_is_overdue() -> None:
    # A run every five minutes; the last succeeded at 11:55:05.
    record = replace(SUCCEEDED, succeeded_at=NOON - 5 * MINUTE + timedelta(seconds=5))
    seen = watch(WELL, record, NOON)
    assert (seen.state, seen.due_at) == ("well", NOON)
    seen = watch(
        seen, replace(record, succeeded_at=NOON + timedelta(seconds=5), now=NOON + 2 * MINUTE), NOON + 5 * MINUTE
    )
    late = replace(record, succeeded_at=NOON + timedelta(seconds=5))
    for minutes, state in ((7, "well"), (12, "well"), (15, "well"), (16, "overdue")):
        seen = watch(seen, replace(late, now=NOON + minutes * MINUTE), NOON + 5 * MINUTE)
        assert seen.state == state, minutes
    assert seen.since == NOON + timedelta(seconds=5)
    assert seen.reason == "no run began; is Airflow's scheduler at work?"


@pytest.mark.parametrize(
    ("pause", "overdue_after"),
    [(timedelta(hours=1), timedelta(minutes=75)), (timedelta(days=1), timedelta(days=1, minutes=15))],
)
def test_job_that_runs_more_rarely_is_overdue_when_its_next_run_is(pause: timedelta, overdue_after: timedelta) -> None:
    record = replace(SUCCEEDED, succeeded_at=NOON)
    seen = watch(replace(WELL, due_since=NOON - pause, due_at=NOON), record, NOON + pause)
    assert watch(seen, replace(record, now=NOON + overdue_after), NOON + pause).is_well
    late = replace(record, now=NOON + overdue_after + MINUTE)
    assert watch(seen, late, NOON + pause).state == "overdue"
    assert watch(seen, replace(late, running_since=NOON + pause), NOON + 2 * pause).is_well


def test_time_in_which_a_person_paused_the_job_does_not_count() -> None:
    seen = watch(WELL, SUCCEEDED, NOON)
    late = replace(SUCCEEDED, now=NOON + 600 * MINUTE)
    paused = watch(seen, late, NOON, is_paused=True)
    assert paused.is_well
    assert (paused.due_since, paused.due_at) == (None, None)
    assert watch(paused, replace(late, failures=9), NOON, is_paused=True).is_well
    resumed = watch(paused, late, late.now + MINUTE)
    assert resumed.is_well
    assert watch(resumed, replace(late, now=late.now + 14 * MINUTE), NOON).is_well
    assert watch(resumed, replace(late, now=late.now + 17 * MINUTE), NOON).state == "overdue"


def test_job_without_a_schedule_is_never_overdue_and_can_fail() -> None:
    late = replace(SUCCEEDED, now=NOON + timedelta(days=9))
    seen = watch(watch(WELL, SUCCEEDED, None), late, None)
    assert seen.is_well
    assert watch(seen, replace(late, failures=1), None).state == "failing"


def test_first_look_at_a_job_gives_it_time() -> None:
    assert watch(WELL, replace(SUCCEEDED, succeeded_at=NOON - timedelta(days=3)), NOON - timedelta(days=1)).is_well


def test_overdue_job_that_fails_is_no_news_and_a_success_is() -> None:
    overdue = watch(replace(WELL, due_since=NOON - 30 * MINUTE, due_at=NOON - 25 * MINUTE), Record(NOON), NOON)
    assert overdue.state == "overdue"
    assert watch(overdue, FAILED, NOON).state == "overdue"
    mended = watch(overdue, replace(SUCCEEDED, succeeded_at=NOON), NOON)
    assert (mended.state, mended.since) == ("well", NOON)


def test_alert_says_what_since_when_why_and_where_to_read_on() -> None:
    message = describe(WELL, BROKEN, FAILED, SETTINGS, "https://airflow.example/")
    assert message.title == "sync_open_orders failed"
    assert message.body.splitlines() == [
        "What: sync_open_orders failed",
        "Since: 2026-03-01 11:59:00 UTC (last success 2026-03-01 11:55:00 UTC)",
        "Why: fetch: x",
        "Job log: https://airflow.example/job_logs/20260301_115900",
    ]
    many = replace(FAILED, failures=3, succeeded_at=None)
    message = describe(WELL, judge(WELL, many, SETTINGS), many, SETTINGS, "https://airflow.example")
    assert message.title == "sync_open_orders failed 3 times in a row"
    assert "(it never succeeded before)" in message.body


def test_alert_of_an_overdue_job_says_what_is_known() -> None:
    due = replace(WELL, due_since=NOON - 30 * MINUTE, due_at=NOON - 25 * MINUTE)
    for record, why in (
        (SUCCEEDED, "no run began; is Airflow's scheduler at work?"),
        (replace(SUCCEEDED, running_since=NOON), "a run is in progress since 2026-03-01 12:00:00 UTC"),
        (FAILED, "the last run failed: fetch: x"),
    ):
        old = replace(record, succeeded_at=NOON - 30 * MINUTE)
        after = judge(due, old, Settings(alert_after_failures=9), outlook(NOON))
        message = describe(due, after, old, SETTINGS, "https://airflow.example")
        assert message.title == "sync_open_orders did not succeed for 15 minutes"
        assert message.body.splitlines()[:3] == [
            "What: sync_open_orders did not succeed for 15 minutes, although it should have run",
            "Since: 2026-03-01 11:30:00 UTC (last success 2026-03-01 11:30:00 UTC)",
            f"Why: {why}",
        ]


def test_recovery_says_how_long_it_was_broken_and_why() -> None:
    record = replace(SUCCEEDED, success_name="20260301_122900", succeeded_at=NOON + 29 * MINUTE)
    message = describe(BROKEN, judge(BROKEN, record, SETTINGS), record, SETTINGS, "https://airflow.example")
    assert message.body.splitlines() == [
        "What: sync_open_orders works again",
        "Since: 2026-03-01 12:29:00 UTC; it failed since 2026-03-01 11:59:00 UTC, for 30 minutes",
        "Why: a run succeeded; before: fetch: x",
        "Job log: https://airflow.example/job_logs/20260301_122900",
    ]


def test_address_without_a_log_is_that_of_the_list() -> None:
    assert job_log_address("https://airflow.example", None) == "https://airflow.example/job_logs/"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (900, "15 minutes"),
        (7200, "2 hours"),
        (86_400, "24 hours"),
        (259_200, "3 days"),
    ],
)
def test_duration_in_words(seconds: int, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words

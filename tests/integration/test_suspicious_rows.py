"""Rows that are published although something is odd about them: a warning in the job log says what."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.integration.erp import STEPS, Erp, Sync, order, orders_of
from tests.integration.outcome import Database, details, job_log, published, warnings
from tests.integration.postgres_versions import every_version_in_all


@every_version_in_all
def test_first_run_that_rejects_most_rows_names_the_share_and_the_most_frequent_reason(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.types["quantity_open"] = "nvarchar(20)"
    wrong = [order(f"W{number}", quantity_open=f"{number}'x") for number in range(90)]
    missing = [order(f"M{number}", quantity_open="1", customer_code=None) for number in range(9)]
    erp.rows = [order(quantity_open="1"), *missing, *wrong]
    run = sync.run()
    assert published(orders) == ["SO1"]
    assert warnings(orders, run.run_id) == [
        "99 of 100 rows were rejected, 99%; the most frequent reason: quantity_open '0'x' is not a number"
    ]


def test_a_few_rejected_rows_are_told_by_their_batch_alone(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [*orders_of(9), order("bad", customer_code=None)]
    run = sync.run()
    assert warnings(orders, run.run_id) == []
    assert ("warning", "Batch 1/1: imported 9 orders, rejected 1") in details(orders, run.run_id)


@every_version_in_all
def test_join_that_repeats_every_row_is_told_once_with_number_and_example(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = [row for row in orders_of(20) for _ in range(2)]
    run = sync.run(params={"batch_size": 10})
    assert len(published(orders)) == 20
    assert warnings(orders, run.run_id) == [
        "20 of 40 rows repeat the key of an earlier one and were rejected, e.g. order_number 'SO000', line_number '1': "
        "a join in the source query may be the reason"
    ]


def test_duplicates_of_an_earlier_run_are_not_counted_again(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [*orders_of(3), *orders_of(3)]
    sync.run()
    erp.rows = [*orders_of(3), *orders_of(1)]
    [warning] = warnings(orders, sync.run().run_id)
    assert warning.startswith("1 of 4 rows repeat the key")


@every_version_in_all
@pytest.mark.parametrize(
    ("column", "before", "after", "says"),
    [
        ("quantity_open", ("decimal(18,4)", Decimal("40.0000")), ("nvarchar(20)", "40"), ("decimal", "text")),
        ("line_number", ("int", 1), ("float", 1.0), ("integer", "float")),
        ("due_date", ("date", datetime(2026, 1, 2)), ("datetime2(0)", datetime(2026, 1, 2)), ("date", "date and time")),
        ("warehouse", ("varchar(10)", "7"), ("int", 7), ("text", "integer")),
    ],
)
def test_column_that_changed_its_type_is_told_until_it_was_published(
    sync: Sync, erp: Erp, orders: Database, column: str, before: Any, after: Any, says: tuple[str, str]
) -> None:
    erp.types[column], value = before
    erp.rows = [order("SO1", **{column: value}), order("SO2", **{column: value})]
    assert warnings(orders, sync.run().run_id) == []
    assert warnings(orders, sync.run().run_id) == []
    since = orders.execute(
        "SELECT to_char(published_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM source_columns WHERE name = %s",
        [column],
    ).fetchone()
    assert since is not None
    told = [f"Column {column} came as {says[0]} since {since[0]} UTC, comes as {says[1]} now: check the source query"]
    erp.types[column], value = after
    erp.rows = [order("SO1", **{column: value}), order("SO2", **{column: value})]
    # A run that doesn't publish changes nothing about what was published last.
    assert warnings(orders, sync.run(STEPS[:4], run_id="unpublished").run_id) == told
    orders.execute("UPDATE job_logs SET status = 3 WHERE run_id = 'unpublished'")
    assert warnings(orders, sync.run().run_id) == told
    assert warnings(orders, sync.run().run_id) == []
    assert len(published(orders)) == 2


def test_every_column_that_changed_is_named(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order()]
    sync.run()
    erp.types |= {"amount_open": "float", "unit_price": "float"}
    erp.rows = [order(amount_open=1234.0, unit_price=30.85)]
    told = warnings(orders, sync.run().run_id)
    assert [text.partition(" since")[0] for text in told] == [
        "Column amount_open came as decimal",
        "Column unit_price came as decimal",
    ]


def test_column_without_a_value_keeps_its_type_in_memory(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order()]
    sync.run()
    erp.rows = [order(due_date=None)]
    assert warnings(orders, sync.run().run_id) == []
    erp.types["due_date"] = "nvarchar(20)"
    erp.rows = [order(due_date=None), order("SO2", due_date="2026-11-20")]
    [told] = warnings(orders, sync.run().run_id)
    assert told.startswith("Column due_date came as date since ")


def test_changed_type_that_breaks_every_row_is_told_beside_the_refusal_again_and_again(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = [order()]
    sync.run()
    erp.types["quantity_open"] = "nvarchar(20)"
    erp.rows = [order(quantity_open="40 pcs")]
    for run_id in ("first", "second"):
        with pytest.raises(AirflowFailException, match="Every row was rejected"):
            sync.run(run_id=run_id)
        column, rejects = warnings(orders, run_id)
        assert column.startswith("Column quantity_open came as decimal since ")
        assert rejects.endswith("the most frequent reason: quantity_open '40 pcs' is not a number")


def test_renamed_column_is_guessed_in_the_job_log(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.types = {("DueDate" if name == "due_date" else name): kind for name, kind in erp.types.items()}
    erp.rows = [order()]
    with pytest.raises(AirflowFailException):
        sync.run(run_id="it")
    assert job_log(orders, "it")["error_summary"].startswith(
        "fetch: The source query lacks due_date. Perhaps due_date is now called DueDate. Expected columns: "
    )


@pytest.mark.parametrize(
    ("ahead", "says"),
    [(timedelta(hours=1), r"is 3,[56]\d\d s ahead of the"), (timedelta(hours=-1), r"is 3,[67]\d\d s behind the")],
)
def test_sql_servers_clock_that_differs_is_told_by_how_much_and_changes_nothing(
    sync: Sync, erp: Erp, orders: Database, ahead: timedelta, says: str
) -> None:
    erp.ahead = ahead
    erp.rows = [order()]
    run = sync.run()
    [told] = warnings(orders, run.run_id)
    assert re.search(f"^SQL Server's clock {says} orders database's: one of them is wrong$", told)
    assert published(orders) == ["SO1"]
    sync.settings = sync.settings.model_copy(update={"clock_tolerance_s": 2 * 3600})
    assert warnings(orders, sync.run().run_id) == []


@every_version_in_all
def test_orders_changed_later_than_the_erps_own_clock_says_are_told_with_the_latest(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.local_time = datetime(2026, 11, 1, 12, 0)
    erp.rows = [
        order("past", source_updated_at=datetime(2026, 11, 1, 11, 59)),
        order("near", source_updated_at=datetime(2026, 11, 1, 12, 0, 30)),
        order("later", source_updated_at=datetime(2026, 11, 1, 15, 0)),
        order("latest", source_updated_at=datetime(2027, 1, 2, 3, 4, 5)),
        order("never", source_updated_at=None),
    ]
    run = sync.run()
    assert warnings(orders, run.run_id) == [
        "2 orders changed later than it is by the ERP's own clock (2026-11-01 12:00), the latest at 2027-01-02 03:04 "
        "(order_number 'latest', line_number '1'): check that clock, and source_updated_at in the source query"
    ]
    assert len(published(orders)) == 5


@pytest.mark.parametrize(
    ("text", "is_future"),
    [
        ("2026-11-01T12:30", True),
        ("2026-11-02", True),
        ("2026-11-01T11:30", False),
        ("2026-11-01", False),
        ("infinity", False),
        ("31.12.2026", False),
        ("", False),
    ],
)
def test_time_of_a_change_counts_in_every_form_that_is_imported_and_in_no_other(
    sync: Sync, erp: Erp, orders: Database, text: str, is_future: bool
) -> None:
    erp.local_time = datetime(2026, 11, 1, 12, 0)
    erp.types["source_updated_at"] = "nvarchar(40)"
    erp.rows = [*orders_of(10, source_updated_at="2026-10-01 00:00:00"), order("it", source_updated_at=text)]
    told = warnings(orders, sync.run().run_id)
    assert [message.partition(" changed later")[0] for message in told] == ["1 order"] * is_future

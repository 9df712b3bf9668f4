from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException
from psycopg.rows import dict_row

from open_orders.contract import OPEN_ORDERS
from open_orders.errors import SourceError
from sandbox.tds.faults import Faults
from sandbox.tds.scripted_engine import make_result
from tests.integration.erp import QUERY, STEPS, Erp, Sync, order
from tests.integration.outcome import Database, counts, details, job_log, messages, published, rejected
from tests.integration.postgres_versions import every_version


@every_version
def test_run_publishes_the_sources_orders_and_tells_it_in_order(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(f"SO{number}") for number in range(7)]
    run = sync.run(params={"batch_size": 3})
    told = messages(orders, run.run_id)
    beginnings = [
        "Job started - sync_open_orders (manual, triggered by admin)",
        "Parameters of this run: batch_size=3 (manual, triggered by admin)",
        "Connecting to SQL Server 127.0.0.1:",
        "Connected: Stand-in SQL Server",
        "Connecting to PostgreSQL 127.0.0.1:",
        "Connected: PostgreSQL 1",
        "Fetched 7 orders in ",
        "Truncated staging table",
        "Batch 1/3: imported 3 orders",
        "Batch 2/3: imported 3 orders",
        "Batch 3/3: imported 1 order",
        "Published 7 orders: 7 new, 0 changed, 0 closed, 0 unchanged, 0 rejected",
        "Job finished in ",
    ]
    assert [message[: len(start)] for message, start in zip(told, beginnings, strict=True)] == beginnings
    log = job_log(orders, run.run_id)
    assert (log["status"], log["error_summary"], log["trigger"], log["triggered_by"]) == (2, None, "manual", "admin")
    assert log["started_at"] <= log["heartbeat_at"] <= log["completed_at"]
    assert published(orders) == [f"SO{number}" for number in range(7)]


def test_published_values_are_the_sources_exactly(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(), order("SO2", item_code=None, customer_name="", due_date=None, unit_price=Decimal("-0.0001"))]
    sync.run()
    columns = ", ".join(OPEN_ORDERS.names)
    with orders.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"SELECT {columns} FROM open_orders ORDER BY order_number").fetchall()
    assert rows == list(erp.rows)


@every_version
def test_next_run_touches_only_what_changed(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order("SO1"), order("SO2"), order("SO3")]
    sync.run()
    before = dict(orders.execute("SELECT order_number, xmin::text FROM open_orders").fetchall())
    erp.rows = [order("SO1"), order("SO2", quantity_open=Decimal("39.5000")), order("SO4")]
    run = sync.run()
    after = dict(orders.execute("SELECT order_number, xmin::text FROM open_orders").fetchall())
    assert set(after) == {"SO1", "SO2", "SO4"}
    assert after["SO1"] == before["SO1"]
    assert after["SO2"] != before["SO2"]
    assert counts(orders, run.run_id) == {
        "fetched": 3, "imported": 3, "rejected": 0, "inserted": 1, "updated": 1, "deleted": 1, "total_after": 3,
    }  # fmt: skip
    assert "Published 3 orders: 1 new, 1 changed, 1 closed, 1 unchanged, 0 rejected" in messages(orders, run.run_id)
    changed = orders.execute(
        "SELECT order_number, first_job_log_id < changed_job_log_id FROM open_orders ORDER BY order_number"
    )
    assert changed.fetchall() == [("SO1", False), ("SO2", True), ("SO4", False)]


@pytest.mark.parametrize(
    ("column", "source_type", "value", "reason"),
    [
        ("order_number", "nvarchar(300)", None, "order_number is missing"),
        ("order_number", "nvarchar(300)", " \t ", "order_number ' \t ' is empty"),
        ("order_number", "nvarchar(300)", "A" * 251, f"order_number '{'A' * 60}…' is longer than 250 characters"),
        ("line_number", "int", None, "line_number is missing"),
        ("line_number", "bigint", 2**31, "line_number '2147483648' does not fit integer"),
        ("line_number", "decimal(9,1)", Decimal("1.5"), "line_number '1.5' is not a whole number"),
        ("customer_code", "nvarchar(40)", None, "customer_code is missing"),
        ("quantity_open", "nvarchar(40)", "forty", "quantity_open 'forty' is not a number"),
        ("quantity_open", "nvarchar(40)", "", "quantity_open '' is not a number"),
        ("quantity_open", "nvarchar(40)", "NaN", "quantity_open 'NaN' is not a number"),
        ("quantity_open", "nvarchar(40)", "0x10", "quantity_open '0x10' is not a number"),
        ("quantity_open", "nvarchar(40)", "1_000", "quantity_open '1_000' is not a number"),
        ("quantity_open", "nvarchar(40)", "1,234.50", "quantity_open '1,234.50' is not a number"),
        (
            "quantity_open",
            "decimal(19,4)",
            Decimal(10**14),
            "quantity_open '100000000000000.0000' does not fit numeric",
        ),
        ("unit_price", "decimal(38,20)", Decimal("0.12345"), "unit_price '0.12345000000000000000' has more than 4 dec"),
        ("unit_price", "float", 0.1 + 0.2, "unit_price '0.30000000000000004' has more than 4 decimal places; round it"),
        ("order_date", "nvarchar(40)", "today", "order_date 'today' is not a date (YYYY-MM-DD)"),
        ("order_date", "nvarchar(40)", "02.01.2026", "order_date '02.01.2026' is not a date (YYYY-MM-DD)"),
        ("order_date", "nvarchar(40)", "2026-02-30", "order_date '2026-02-30' is not a date (YYYY-MM-DD)"),
        ("order_date", "datetime", datetime(2026, 1, 2, 13, 45), "order_date '2026-01-02 13:45:00' has a time of day;"),
        ("source_updated_at", "nvarchar(40)", "now", "source_updated_at 'now' is not a date and time"),
        ("source_updated_at", "nvarchar(40)", "2026-01-02 03:04:05.1234567", "source_updated_at '2026-01-02 03:04:05."),
        ("source_updated_at", "nvarchar(40)", "2026-01-02 03:04:05+02:00", "source_updated_at '2026-01-02 03:04:05+02"),
        ("customer_name", "nvarchar(40)", "A\x00B", "customer_name 'A␀B' contains a NUL character"),
    ],
)
def test_row_that_breaks_the_contract_is_rejected_with_column_and_value(
    sync: Sync, erp: Erp, orders: Database, column: str, source_type: str, value: Any, reason: str
) -> None:
    good: Any = order("good")[column]
    erp.types[column] = source_type
    if "char" in source_type:
        good = str(good)
    elif source_type == "float":
        good = 0.5
    elif source_type.startswith("datetime"):
        good = datetime(2026, 1, 2)
    erp.rows = [order("good", **({} if column == "order_number" else {column: good})), order("bad", 2)]
    erp.rows[1][column] = value
    run = sync.run()
    assert published(orders) == ["good"]
    [(found, occurrences)] = rejected(orders)
    assert found.startswith(reason)
    assert occurrences == 1
    assert counts(orders, run.run_id)["rejected"] == 1
    assert ("warning", "Batch 1/1: imported 1 order, rejected 1") in details(orders, run.run_id)


@every_version
def test_reason_lists_every_offence_of_a_row(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.types["quantity_open"] = "nvarchar(20)"
    erp.rows = [order("good", quantity_open="1"), order(None, quantity_open="x", customer_code=None)]
    sync.run()
    assert rejected(orders) == [
        ("order_number is missing; customer_code is missing; quantity_open 'x' is not a number", 1)
    ]
    delivered = orders.execute('SELECT "row" FROM rejected_orders').fetchone()
    assert delivered is not None
    assert delivered[0]["quantity_open"] == "x"
    assert set(delivered[0]) == set(OPEN_ORDERS.names)


@every_version
def test_duplicate_keys_import_the_first_row_across_batches(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(warehouse="A"), order("SO2"), order(warehouse="B"), order(warehouse="B"), order("SO3")]
    run = sync.run(params={"batch_size": 2})
    reason = "duplicate key order_number 'SO1', line_number '1': an earlier row of this fetch has it and was imported"
    assert rejected(orders) == [(reason, 2)]
    assert orders.execute("SELECT warehouse FROM open_orders WHERE order_number = 'SO1'").fetchall() == [("A",)]
    assert counts(orders, run.run_id) == {
        "fetched": 5, "imported": 3, "rejected": 2, "inserted": 3, "updated": 0, "deleted": 0, "total_after": 3,
    }  # fmt: skip


def test_rejects_do_not_pile_up_from_run_to_run_or_when_a_run_repeats_its_import(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = [order(), order("", 2), order("", 2)]
    first = sync.run()
    second = sync.run(STEPS[:4])
    sync.run(STEPS[2:], run_id=second.run_id, attempt=2)
    reason = "order_number '' is empty"
    assert rejected(orders) == [(reason, 2)]
    ids = orders.execute("SELECT first_job_log_id, last_job_log_id FROM rejected_orders").fetchone()
    assert ids == (job_log(orders, first.run_id)["id"], job_log(orders, second.run_id)["id"])


def test_column_order_case_and_extra_columns_do_not_matter(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.engine.script(
        QUERY,
        [
            make_result(
                [("Extra", "int"), *((name.upper(), erp.types[name]) for name in reversed(erp.types))],
                [(7, *(order()[name] for name in reversed(erp.types)))],
            )
        ],
    )
    run = sync.run()
    assert published(orders) == ["SO1"]
    warning = ("warning", "Columns that the contract doesn't have are ignored: Extra")
    assert warning in details(orders, run.run_id)


def test_missing_column_is_an_error_that_lists_expected_and_found(sync: Sync, erp: Erp, orders: Database) -> None:
    del erp.types["due_date"]
    erp.rows = [order()]
    with pytest.raises(AirflowFailException, match="lacks due_date. Expected columns: order_number, .* Found: order_n"):
        sync.run(run_id="it")
    log = job_log(orders, "it")
    assert log["status"] == 3
    assert log["error_summary"].startswith("fetch: The source query lacks due_date")


def test_several_results_are_refused(sync: Sync, erp: Erp, orders: Database) -> None:
    columns = list(erp.types.items())
    rows = [tuple(order().values())]
    erp.engine.script(QUERY, [make_result(columns, rows), make_result(columns, rows)])
    with pytest.raises(AirflowFailException, match="more than one result"):
        sync.run()
    assert published(orders) == []


@pytest.mark.parametrize("value", [0, 1, -1, 2**62])
def test_numeric_and_integer_texts_import_where_they_are_exact(
    sync: Sync, erp: Erp, orders: Database, value: int
) -> None:
    erp.types |= {"order_number": "bigint", "line_number": "float", "quantity_open": "nvarchar(20)"}
    erp.rows = [order() | {"order_number": value, "line_number": 10.0, "quantity_open": " 1e2 "}]
    sync.run()
    row = orders.execute("SELECT order_number, line_number, quantity_open FROM open_orders").fetchone()
    assert row == (str(value), 10, Decimal("100.0000"))


def test_dates_import_from_every_form_that_loses_nothing(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.types |= {"order_date": "datetime2(7)", "due_date": "varchar(8)", "source_updated_at": "smalldatetime"}
    erp.rows = [
        order(order_date=datetime(2026, 1, 2), due_date="20260103", source_updated_at=datetime(2026, 1, 4, 5, 6))
    ]
    sync.run()
    row = orders.execute("SELECT order_date, due_date, source_updated_at FROM open_orders").fetchone()
    assert row == (date(2026, 1, 2), date(2026, 1, 3), datetime(2026, 1, 4, 5, 6))


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (4, 0, "The source returned no orders; open_orders keeps its 4 orders. .* allow_empty"),
        (0, 0, "The source returned no orders; open_orders keeps its 0 orders"),
        (
            4,
            1,
            "3 orders of 4 would disappear, 75% .limit 50%.: the source returned 1 order, .* keeps its 4 orders.*drop",
        ),
    ],
)
def test_suspicious_source_is_refused_and_changes_nothing(
    sync: Sync, erp: Erp, orders: Database, first: int, second: int, says: str
) -> None:
    if first:
        erp.rows = [order(f"SO{number}") for number in range(first)]
        sync.run()
    before = published(orders)
    erp.rows = [order(f"SO{number}") for number in range(second)]
    with pytest.raises(AirflowFailException, match=says):
        sync.run(run_id="it")
    assert published(orders) == before
    assert job_log(orders, "it")["status"] == 3
    override = {"allow_empty": True, "max_drop_share": 1.0}
    sync.run(params=override)
    assert len(published(orders)) == second


def test_drop_of_exactly_the_share_is_published(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(f"SO{number}") for number in range(4)]
    sync.run()
    erp.rows = erp.rows[:2]
    sync.run()
    assert len(published(orders)) == 2


def test_orders_that_are_all_replaced_by_others_count_as_a_drop(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(f"SO{number}") for number in range(4)]
    sync.run()
    erp.rows = [order(f"OTHER{number}") for number in range(4)]
    with pytest.raises(AirflowFailException, match="4 orders of 4 would disappear, 100%"):
        sync.run()
    assert published(orders) == ["SO0", "SO1", "SO2", "SO3"]


def test_publish_of_an_empty_run_does_not_empty_the_table_of_a_later_one(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    sync.run(run_id="empty", params={"allow_empty": True})
    erp.rows = [order()]
    sync.run()
    sync.run(STEPS[:3], run_id="dies")
    orders.execute("UPDATE job_logs SET status = 3 WHERE run_id = 'dies'")
    with pytest.raises(AirflowFailException, match="a later run took its place"):
        sync.run(STEPS[4:], run_id="empty", clear_number=1, params={"allow_empty": True})
    assert published(orders) == ["SO1"]


def test_reject_that_comes_again_with_other_values_replaces_the_one_before(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    for minute in range(3):
        moment = datetime(2026, 1, 1, 0, minute)
        erp.rows = [order(), order("SO2", customer_code=None, source_updated_at=moment)]
        sync.run()
    assert rejected(orders) == [("customer_code is missing", 1)]
    seen = orders.execute("""SELECT "row" ->> 'source_updated_at' FROM rejected_orders""").fetchall()
    assert seen == [("2026-01-01 00:02:00",)]


def test_source_of_which_every_row_is_rejected_is_refused(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(""), order(" ")]
    with pytest.raises(AirflowFailException, match="Every row was rejected .2 orders.; open_orders keeps its 0 orders"):
        sync.run(params={"allow_empty": True})
    assert len(rejected(orders)) == 2


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        (Faults(drop_after_rows=0), "SQL Server closed the connection"),
        (Faults(drop_after_rows=3), "SQL Server closed the connection"),
        (Faults(error_after_rows=(2, 8134, 16, 1, "Divide by zero error encountered.")), "Divide by zero"),
    ],
)
def test_failing_source_leaves_the_snapshot_and_says_why(
    sync: Sync, erp: Erp, orders: Database, faults: Faults, says: str
) -> None:
    erp.rows = [order(f"SO{number}") for number in range(5)]
    sync.run()
    erp.server.faults = faults
    erp.rows = [order(f"SO{number}") for number in range(9)]
    with pytest.raises(SourceError, match=says):
        sync.run(run_id="it", attempt=3, attempts=3)
    log = job_log(orders, "it")
    assert log["status"] == 3
    assert log["error_summary"].startswith("fetch: SQL Server")
    told = messages(orders, "it")
    assert told[-2].startswith("Attempt 3 of 3 failed: SQL Server")
    assert told[-1].startswith("mssql_python.exceptions.")
    assert len(published(orders)) == 5
    erp.server.faults = None
    sync.run()
    assert len(published(orders)) == 9


def test_failed_attempt_that_is_not_the_last_leaves_the_log_open_and_the_next_continues_it(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = [order()]
    erp.server.faults = Faults(drop_after_rows=0)
    with pytest.raises(SourceError):
        sync.run(run_id="it")
    assert job_log(orders, "it")["status"] == 1
    erp.server.faults = None
    sync.run(STEPS[1:], run_id="it", attempt=2)
    told = messages(orders, "it")
    assert "Attempt 2 of 3" in told
    assert any(message.startswith("Attempt 1 of 3 failed: SQL Server closed the connection") for message in told)
    assert job_log(orders, "it")["status"] == 2


def test_fetch_that_the_server_does_not_confirm_is_refused(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(), order("SO2")]
    erp.engine.script("SELECT @@ROWCOUNT", [make_result([("", "int")], [(3,)], reads_table=False)])
    with pytest.raises(Exception, match="SQL Server counts 3 rows but 2 arrived"):
        sync.run(run_id="it")
    assert job_log(orders, "it")["fetched"] is None
    assert orders.execute("SELECT count(*) FROM open_orders_landing").fetchone() == (0,)


@every_version
def test_import_resumes_at_the_first_unfinished_batch(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(f"SO{number}") for number in range(6)]
    sync.run(STEPS[:4], run_id="it", params={"batch_size": 2})
    orders.execute("UPDATE open_orders_batches SET imported = NULL, rejected = NULL WHERE batch_no > 1")
    orders.execute("DELETE FROM open_orders_staging WHERE order_number > 'SO1'")
    sync.run(STEPS[3:], run_id="it", attempt=2)
    told = messages(orders, "it")
    assert told.count("Batch 1/3: imported 2 orders") == 1
    assert told.count("Batch 2/3: imported 2 orders") == 2
    assert "Resuming at batch 2/3" in told
    assert counts(orders, "it")["imported"] == 6
    assert len(published(orders)) == 6


def test_retry_after_publish_does_not_publish_twice(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order()]
    run = sync.run()
    before = orders.execute("SELECT xmin::text FROM open_orders").fetchall()
    log = job_log(orders, run.run_id)
    sync.run(STEPS[4:], run_id=run.run_id, attempt=2)
    assert messages(orders, run.run_id)[-1] == "Already published by an earlier attempt: nothing to do"
    assert orders.execute("SELECT xmin::text FROM open_orders").fetchall() == before
    assert job_log(orders, run.run_id) == log


@pytest.mark.parametrize(
    ("step", "table"),
    [(step, f"open_orders_{table}") for step in STEPS[3:] for table in ("landing", "batches", "staging")],
)
def test_lost_working_table_fails_the_run_and_not_the_next(
    sync: Sync, erp: Erp, orders: Database, step: str, table: str
) -> None:
    erp.rows = [order(f"SO{number}") for number in range(3)]
    at = STEPS.index(step)
    sync.run(STEPS[:at], run_id="it")
    orders.execute(f"TRUNCATE {table}")
    # What is not needed yet, or no more, may be lost.
    if (step, table) in (("import_batches", "open_orders_staging"), ("publish", "open_orders_landing")):
        sync.run(STEPS[at:], run_id="it")
    else:
        with pytest.raises(AirflowFailException, match="next run (fetches again|starts afresh)"):
            sync.run(STEPS[at:], run_id="it")
        assert published(orders) == []
        assert job_log(orders, "it")["status"] == 3
    sync.run()
    assert len(published(orders)) == 3


def test_publish_of_an_older_run_whose_landing_was_replaced_is_refused(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order("old")]
    sync.run(STEPS[:4], run_id="older")
    orders.execute("UPDATE job_logs SET status = 3 WHERE run_id = 'older'")
    erp.rows = [order("new")]
    sync.run()
    with pytest.raises(AirflowFailException, match="a later run took its place"):
        sync.run(STEPS[4:], run_id="older", clear_number=1)
    assert published(orders) == ["new"]


def test_bad_query_file_is_a_clear_error(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.query_file.unlink()
    with pytest.raises(
        AirflowFailException, match="Cannot read the source query .*open_orders.sql.*OPEN_ORDERS_SOURCE"
    ):
        sync.run()


def test_session_left_by_an_earlier_attempt_is_ended(sync: Sync, erp: Erp, orders: Database, orders_dsn: str) -> None:
    erp.rows = [order()]
    with psycopg.connect(orders_dsn, application_name="open_orders sync open_orders") as zombie:
        zombie.execute("LOCK TABLE open_orders_landing")
        run = sync.run()
        assert "Ended 1 session(s) left by an earlier attempt" in messages(orders, run.run_id)
        with pytest.raises(psycopg.OperationalError):
            zombie.execute("SELECT 1")
    assert published(orders) == ["SO1"]

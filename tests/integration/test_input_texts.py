"""Any text in any place: bit for bit in `open_orders`, or rejected with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from open_orders.errors import SourceError
from sandbox.tds.collations import TURKISH, UTF8, Collation
from sandbox.tds.engine import ResultSet, make_error
from sandbox.tds.scripted_engine import make_column
from tests.integration.driver_process import DriverProcess
from tests.integration.erp import MSSQL_PYTHON, PYMSSQL, QUERY, STEPS, Erp, Sync, order
from tests.integration.outcome import Database, job_log, messages, published, rejected

pytestmark = pytest.mark.both_drivers(other="full")
TEXTS = {
    "newlines": "a\nb\r\nc\rd\n",
    "end of COPY data": "\\.",
    "end of COPY data on its own line": "a\n\\.\nb",
    "NULL in COPY": "\\N",
    "escapes of COPY": r"\t \n \x41 \101 \\ \b \134",
    "tabs": "\ta\t\tb\t",
    "quotes": "' '' \" \"\" ` $$ $1 %s %% {0} --",
    "backslash at the end": "a\\",
    "blanks around": "  a  ",
    "byte order mark": "\ufeffa\ufeff",
    "noncharacters": "\ufffe\uffff\ufdd0\U0001fffe\U0010ffff",
    "private use": "\ue000\uf8ff\U000f0000\U0010fffd",
    "emoji of several code points": "😀👩‍👩‍👧🏽🇹🇷",
    "combining marks": "e\u0301 o\u0308\u0304 \u0301 Z͑ͫ̓ͪ̂",
    "right to left with overrides": "שלום \u202eabc\u202c مرحبا \u2066x\u2069",
    "invisible characters": "a\u200bb\u200dc\u00add\u2060e\u034f",
    "control characters": "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32), 127, *range(128, 160)])),
    "line separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "Turkish i": "İIıi ŞşĞğ",
    "four bytes, 250 characters": "𠀀" * 250,
}
# Key, needed and optional.
COLUMNS = ("order_number", "customer_code", "customer_name")
# Characters that are halves of surrogate pairs, and NUL: PostgreSQL has no room for them.
LOST = {
    PYMSSQL: "characters that the driver can't convert (shown as ? or left out)",
    MSSQL_PYTHON: "contains \N{REPLACEMENT CHARACTER} (U+FFFD), which stands for a character that could not be conv",
}
PIECES = [*TEXTS.values(), "\x00", "\ud83d", "\ude00", "?", "'", " ", "\\", "\n"]


@pytest.mark.parametrize("source_type", ["nvarchar(4000)", "nvarchar(max)", "ntext"])
def test_text_arrives_bit_for_bit(sync: Sync, erp: Erp, orders: Database, source_type: str) -> None:
    erp.types |= dict.fromkeys(COLUMNS, source_type)
    erp.rows = [
        order(**{"order_number": f"{column} {name}", "order_status": column, column: text})
        for name, text in TEXTS.items()
        for column in COLUMNS
    ]
    sync.run()
    for column in COLUMNS:
        found = orders.execute(f"SELECT {column} FROM open_orders WHERE order_status = %s", [column]).fetchall()
        assert {row[0] for row in found} == set(TEXTS.values())
    assert rejected(orders) == []


@settings(
    max_examples=25, deadline=timedelta(seconds=60), suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)  # fmt: skip
@given(
    st.lists(
        st.fixed_dictionaries(
            dict.fromkeys(
                COLUMNS,
                st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=4).map(
                    lambda parts: "".join(parts)[:300]
                ),
            )
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_mixture_of_texts_is_imported_bit_for_bit_or_rejected(
    sync: Sync, erp: Erp, orders: Database, rows: list[dict[str, str]]
) -> None:
    """NUL and halves of surrogate pairs are rejected, two halves side by side are a character."""
    orders.execute("TRUNCATE open_orders, rejected_orders")
    erp.types |= dict.fromkeys(COLUMNS, "nvarchar(4000)")
    # A row that is always good, so that no example is refused for being rejected altogether.
    erp.rows = [order("good", 0), *(order(line=number, **row) for number, row in enumerate(rows, start=1))]
    sync.run(STEPS, params={"max_drop_share": 1})
    expected = {}
    for number, row in enumerate(rows, start=1):
        texts = [read_utf16(row[column]) for column in COLUMNS]
        storable = None not in texts and "\x00" not in "".join(texts)
        if storable and texts[0].strip(" \t\r\n") and len(texts[0]) <= 250:
            expected[number] = tuple(texts)
    found = orders.execute(
        "SELECT line_number, order_number, customer_code, customer_name FROM open_orders WHERE line_number > 0"
    ).fetchall()
    assert {row[0]: row[1:] for row in found} == expected
    assert sum(occurrences for _reason, occurrences in rejected(orders)) == len(rows) - len(expected)


def read_utf16(text: str) -> str | None:
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None


def run_beside(sync: Sync, erp: Erp, driver: DriverProcess) -> None:
    """Run a sync whose fetch is in another process than the stand-in: within a long value mssql-python stops ours."""
    attempt = {
        "dag_id": "sync_open_orders", "run_id": "it", "trigger": "manual", "triggered_by": None, "clear_number": 0,
        "step": "fetch", "attempt": 1, "attempts": 3,
    }  # fmt: skip
    ending = driver.step(erp.address(), erp.query_file, attempt)
    assert ending.is_orderly, ending
    assert ending.error is None
    sync.run(("truncate", "import_batches", "publish"), run_id="it")


@pytest.mark.parametrize(("characters", "source_type"), [(2**20, "nvarchar(max)"), (2**20, "varchar(max)")])
def test_text_of_a_megabyte_arrives_whole_or_is_kept_whole_with_its_reason(
    sync: Sync, erp: Erp, orders: Database, driver: DriverProcess, characters: int, source_type: str
) -> None:
    text = "ğ\\.\n\t'" * (characters // 6)
    arriving = {"customer_code", "item_description"}
    rejecting = {"order_number", "quantity_ordered", "due_date", "source_updated_at"}
    fitting = {"quantity_ordered": "1", "due_date": "2026-01-02", "source_updated_at": "2026-01-02 03:04:05"}
    erp.types |= dict.fromkeys(arriving | rejecting, source_type)
    usual = order(item_description="ASCII") | fitting
    erp.rows = [usual | {"order_number": column, column: text} for column in arriving | rejecting]
    run_beside(sync, erp, driver)
    found = orders.execute("SELECT order_number, customer_code, item_description FROM open_orders ORDER BY 1")
    assert found.fetchall() == [("customer_code", text, "ASCII"), ("item_description", "C1", text)]
    kept = orders.execute(
        """SELECT split_part(reason, ' ', 1), length(reason), "row" FROM rejected_orders"""
    ).fetchall()
    assert {column for column, _length, _row in kept} == rejecting
    assert [row[column] for column, _length, row in kept] == [text] * len(rejecting)
    assert all(length < 200 for _column, length, _row in kept)


def test_text_of_eight_megabytes_arrives_whole(sync: Sync, erp: Erp, orders: Database, driver: DriverProcess) -> None:
    text = "ğ\\.\n\t'日" * (2**23 // 7)
    erp.rows = [order(item_description=text)]
    run_beside(sync, erp, driver)
    assert orders.execute("SELECT item_description FROM open_orders").fetchall() == [(text,)]


@pytest.mark.parametrize("source_type", ["nvarchar(40)", "nchar(12)", "ntext", "nvarchar(max)"])
@pytest.mark.parametrize("column", COLUMNS)
def test_half_of_a_character_rejects_its_row_and_no_other(
    sync: Sync, erp: Erp, orders: Database, source_type: str, column: str
) -> None:
    erp.types[column] = source_type
    halves = ["a\ud83db", "\ude00", "a?\ude00b"]
    # In nvarchar(max) it breaks pymssql: see below.
    halves += [] if source_type == "nvarchar(max)" and erp.driver == PYMSSQL else ["ab\ud83d"]
    erp.rows = [order("first"), *(order(f"bad {half}", **{column: half}) for half in halves), order("last")]
    if column == "order_number":
        erp.rows = [order("first"), *(order(half) for half in halves), order("last")]
    run = sync.run()
    assert [name.strip() for name in published(orders)] == ["first", "last"]
    assert job_log(orders, run.run_id)["rejected"] == len(halves)
    for reason, _occurrences in rejected(orders):
        assert f"{column} '" in reason
        assert LOST[erp.driver] in reason


def test_byte_that_the_code_page_lacks_is_a_control_character_or_rejects_its_row(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    """SQL Server itself makes U+0081 of it where it converts to nvarchar, and so does mssql-python."""
    erp.types["customer_name"] = "varchar(40)"
    deliver(erp, replace(TURKISH, codec="latin-1"), [order(), order("SO2", customer_name="a\x81b")])
    sync.run()
    if erp.driver == MSSQL_PYTHON:
        found = orders.execute("SELECT customer_name FROM open_orders WHERE order_number = 'SO2'").fetchall()
        assert found == [("a\x81b",)]
        return
    assert published(orders) == ["SO1"]
    [(reason, _occurrences)] = rejected(orders)
    assert reason.startswith("customer_name 'a?b' has, or ended in, characters that the driver can't convert")


def test_varchar_with_a_utf8_collation_arrives_exactly(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.types |= {"customer_name": "varchar(80)", "item_description": "varchar(max)", "order_status": "char(20)"}
    row = order(customer_name="ğ日😀é\x81", item_description="日" * 9000, order_status="😀")
    deliver(erp, UTF8, [row])
    sync.run()
    found = orders.execute("SELECT customer_name, item_description, order_status FROM open_orders").fetchone()
    assert found == ("ğ日😀é\x81", "日" * 9000, "😀" + " " * 16)


def deliver(erp: Erp, collation: Collation, rows: list[dict[str, Any]]) -> None:
    columns = [make_column(name, source_type, True, collation) for name, source_type in erp.types.items()]
    erp.engine.script(QUERY, [ResultSet(columns, [tuple(row[name] for name in erp.types) for row in rows])])


def test_nvarchar_max_that_ends_in_half_of_a_character_is_named_by_its_row(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    """FreeTDS ends the connection there (1.5.19); cast to nvarchar(4000) such a row is only rejected, see above."""
    if erp.driver == MSSQL_PYTHON:
        return  # see above, too
    erp.rows = [order(), order("SO2")]
    sync.run()
    erp.rows = [order(), order("SO3"), order("SO4", item_description="cut off \ud83d"), order("SO5")]
    with pytest.raises(
        SourceError, match="can't read row 3: a text of it ends in half of a character. Cast its column to"
    ):
        sync.run(run_id="it", attempt=3)
    assert published(orders) == ["SO1", "SO2"]
    assert job_log(orders, "it")["error_summary"].startswith("fetch: The driver can't read row 3")


def test_question_marks_of_the_source_are_no_offence(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(customer_name="a?b"), order("SO2", customer_name="a\ud83db"), order("SO3", customer_name="?")]
    sync.run()
    assert published(orders) == ["SO1", "SO3"]


@pytest.mark.parametrize("blank", ["", " ", " \t\r\n "])
def test_blank_key_is_rejected_and_blank_text_elsewhere_is_kept_as_it_is(
    sync: Sync, erp: Erp, orders: Database, blank: str
) -> None:
    erp.rows = [order(blank), order("SO2", customer_code=blank, customer_name=blank)]
    sync.run()
    assert orders.execute("SELECT order_number, customer_code, customer_name FROM open_orders").fetchall() == [
        ("SO2", blank, blank)
    ]
    assert rejected(orders) == [(f"order_number '{blank}' is empty", 1)]


def test_key_of_blanks_that_only_unicode_knows_is_a_key(sync: Sync, erp: Erp, orders: Database) -> None:
    blanks = ["\u00a0", "\u3000", "\u200b", "\ufeff"]
    erp.rows = [order(blank) for blank in blanks]
    sync.run()
    assert set(published(orders)) == set(blanks)


def test_keys_that_differ_in_blanks_case_width_or_normal_form_are_different_orders(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    """SQL Server may take some for the same; the sync must not: its source query can, with RTRIM, UPPER or the like."""
    keys = ["SOÉ1", "SOÉ1 ", " SOÉ1", "soÉ1", "SOE\u03011", "ＳＯÉ１", "SOÉ1\u200b", "SOI1", "SOİ1", "soı1", "soi1"]
    erp.rows = [order(key, quantity_open=Decimal(number)) for number, key in enumerate(keys)]
    sync.run()
    found = orders.execute("SELECT order_number, quantity_open FROM open_orders").fetchall()
    assert dict(found) == {key: Decimal(number) for number, key in enumerate(keys)}
    assert rejected(orders) == []


@pytest.mark.parametrize(
    "name",
    ["newlines", "end of COPY data on its own line", "quotes", "control characters", "right to left with overrides"],
)
def test_text_in_a_reason_reaches_the_job_log_as_it_is(sync: Sync, erp: Erp, orders: Database, name: str) -> None:
    text = TEXTS[name][:60]
    erp.rows = [order(text), order(text)]
    run = sync.run()
    key = f"order_number '{text}', line_number '1'"
    assert rejected(orders) == [(f"duplicate key {key}: an earlier row of this fetch has it and was imported", 1)]
    assert [message for message in messages(orders, run.run_id) if key in message] != []


def test_text_of_an_error_reaches_the_job_log(sync: Sync, erp: Erp, orders: Database) -> None:
    text = "Şu 'değer' \\. \\N % {0} 😀 \u202eabc 日本: e\u0301"
    erp.engine.script(QUERY, [make_error(50000, text)])
    with pytest.raises(SourceError):
        sync.run(run_id="it", attempt=3)
    assert job_log(orders, "it")["error_summary"] == f"fetch: SQL Server reported error 50000: {text}"


def test_half_of_a_character_in_all_rows_is_refused_with_the_reason(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = [order(customer_name="\ude00")]
    with pytest.raises(AirflowFailException, match="Every row was rejected"):
        sync.run()
    assert len(rejected(orders)) == 1

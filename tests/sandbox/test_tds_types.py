from __future__ import annotations

import datetime as dt
import math
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.tds.collations import LATIN1, UTF8
from sandbox.tds.encoders import EncodingError, RowEncoder, build_encoder
from sandbox.tds.scripted_engine import ScriptedEngine, make_column, make_result
from sandbox.tds.types import SqlType, UnknownTypeError
from tests.sandbox.tds_client import Connect

GUID = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")
UTC_PLUS_3 = dt.timezone(dt.timedelta(hours=3))
EVERY_LETTER = "İıŞşĞğÇçÖöÜü"
MIXED = "Şube 東京 – Ürün 😀 \t\r\n'"

# (type, what the server holds, what pymssql must give)
VALUES: list[tuple[str, Any, Any]] = [
    ("bit", True, True),
    ("bit", False, False),
    ("tinyint", 0, 0),
    ("tinyint", 255, 255),
    ("smallint", -(2**15), -(2**15)),
    ("smallint", 2**15 - 1, 2**15 - 1),
    ("int", -(2**31), -(2**31)),
    ("int", 2**31 - 1, 2**31 - 1),
    ("bigint", -(2**63), -(2**63)),
    ("bigint", 2**63 - 1, 2**63 - 1),
    ("decimal(1, 0)", Decimal("-9"), Decimal("-9")),
    ("decimal(9, 2)", Decimal("9999999.99"), Decimal("9999999.99")),
    ("decimal(18, 4)", Decimal("-0.0001"), Decimal("-0.0001")),
    ("decimal(19, 4)", Decimal("999999999999999.9999"), Decimal("999999999999999.9999")),
    ("decimal(28, 10)", Decimal("1e-10"), Decimal("1e-10")),
    ("decimal(38, 0)", Decimal("9" * 38), Decimal("9" * 38)),
    ("decimal(38, 38)", Decimal("-0." + "9" * 38), Decimal("-0." + "9" * 38)),
    ("numeric(5, 2)", Decimal("123.455"), Decimal("123.46")),
    ("money", Decimal("-922337203685477.5808"), Decimal("-922337203685477.5808")),
    ("money", Decimal("922337203685477.5807"), Decimal("922337203685477.5807")),
    ("smallmoney", Decimal("-214748.3648"), Decimal("-214748.3648")),
    ("smallmoney", Decimal("214748.3647"), Decimal("214748.3647")),
    ("real", 1.5, 1.5),
    ("float", 0.1, 0.1),
    ("float", 1.7976931348623157e308, 1.7976931348623157e308),
    ("float", 5e-324, 5e-324),
    ("date", dt.date(1, 1, 1), dt.date(1, 1, 1)),
    ("date", dt.date(9999, 12, 31), dt.date(9999, 12, 31)),
    ("time(0)", dt.time(23, 59, 59), dt.time(23, 59, 59)),
    ("time(3)", dt.time(1, 2, 3, 4000), dt.time(1, 2, 3, 4000)),
    ("time(7)", dt.time(23, 59, 59, 999999), dt.time(23, 59, 59, 999999)),
    ("datetime", dt.datetime(1753, 1, 1), dt.datetime(1753, 1, 1)),
    ("datetime", dt.datetime(9999, 12, 31, 23, 59, 59, 997000), dt.datetime(9999, 12, 31, 23, 59, 59, 997000)),
    ("smalldatetime", dt.datetime(1900, 1, 1), dt.datetime(1900, 1, 1)),
    ("smalldatetime", dt.datetime(2079, 6, 6, 23, 59), dt.datetime(2079, 6, 6, 23, 59)),
    ("datetime2(0)", dt.datetime(2024, 2, 29, 23, 59, 59), dt.datetime(2024, 2, 29, 23, 59, 59)),
    ("datetime2(3)", dt.datetime(1, 1, 1, 0, 0, 0, 1000), dt.datetime(1, 1, 1, 0, 0, 0, 1000)),
    ("datetime2(7)", dt.datetime(9999, 12, 31, 23, 59, 59, 999999), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    (
        "datetimeoffset(7)",
        dt.datetime(2024, 1, 1, 0, 30, tzinfo=UTC_PLUS_3),
        dt.datetime(2024, 1, 1, 0, 30, tzinfo=UTC_PLUS_3),
    ),
    ("char(5)", "abc", "abc  "),
    ("varchar(20)", EVERY_LETTER, EVERY_LETTER),
    ("varchar(20)", "", ""),
    ("varchar(8000)", "x" * 8000, "x" * 8000),
    ("varchar(max)", "ş" * 10_000, "ş" * 10_000),
    ("varchar(max)", "", ""),
    ("nchar(5)", "東京", "東京   "),
    ("nvarchar(40)", MIXED, MIXED),
    ("nvarchar(40)", "", ""),
    ("nvarchar(40)", "a\0b", "a\0b"),
    ("nvarchar(4000)", "東" * 4000, "東" * 4000),
    ("nvarchar(max)", "😀" * 20_000, "😀" * 20_000),
    ("nvarchar(max)", "", ""),
    ("text", EVERY_LETTER, EVERY_LETTER),
    ("text", "", ""),
    ("ntext", MIXED, MIXED),
    ("uniqueidentifier", GUID, GUID),
    ("binary(4)", b"\x01", b"\x01\x00\x00\x00"),
    ("varbinary(10)", b"\x00\xff", b"\x00\xff"),
    ("varbinary(10)", b"", b""),
    ("varbinary(max)", b"\x00\x01" * 10_000, b"\x00\x01" * 10_000),
    ("image", b"\x00\xff" * 10, b"\x00\xff" * 10),
    ("rowversion", bytes(range(8)), bytes(range(8))),
]
EVERY_TYPE = sorted({sql_type for sql_type, _, _ in VALUES})


def fetch(engine: ScriptedEngine, connect: Connect, columns: list[tuple[str, str]], rows: list[Any]) -> Any:
    engine.script("SELECT it", [make_result(columns, rows)])
    cursor = connect().cursor()
    cursor.execute("SELECT it")
    return cursor.fetchall()


@pytest.mark.parametrize(("sql_type", "held", "given_back"), VALUES)
def test_value_arrives_exactly(
    engine: ScriptedEngine, connect: Connect, sql_type: str, held: Any, given_back: Any
) -> None:
    [(value,)] = fetch(engine, connect, [("it", sql_type)], [(held,)])

    assert value == given_back
    assert type(value) is type(given_back)


def test_every_type_carries_null_beside_values(engine: ScriptedEngine, connect: Connect) -> None:
    columns = [(f"c{index}", sql_type) for index, (sql_type, _, _) in enumerate(VALUES)]
    values = tuple(held for _, held, _ in VALUES)
    nulls = (None,) * len(columns)

    first, second, third = fetch(engine, connect, columns, [nulls, values, nulls])

    assert first == third == nulls
    assert second == tuple(given_back for _, _, given_back in VALUES)


def test_not_null_columns_carry_the_same_values(engine: ScriptedEngine, connect: Connect) -> None:
    result = make_result([], [tuple(held for _, held, _ in VALUES)])
    result.columns = [make_column(f"c{n}", sql_type, nullable=False) for n, (sql_type, _, _) in enumerate(VALUES)]
    engine.script("SELECT it", [result])
    cursor = connect().cursor()

    cursor.execute("SELECT it")

    assert cursor.fetchall() == [tuple(given_back for _, _, given_back in VALUES)]


@pytest.mark.parametrize("sql_type", EVERY_TYPE)
def test_null_in_a_not_null_column_is_refused(sql_type: str) -> None:
    with pytest.raises(EncodingError, match="NOT NULL"):
        build_encoder(SqlType.parse(sql_type), nullable=False)(None)


@pytest.mark.parametrize(
    ("sql_type", "held", "given_back"),
    [
        ("datetime2(7)", "2024-01-02 03:04:05.1234567", dt.datetime(2024, 1, 2, 3, 4, 5, 123456)),
        ("time(7)", "03:04:05.1234567", dt.time(3, 4, 5, 123456)),
        (
            "datetimeoffset(7)",
            "2024-01-02 03:04:05.1234567 -02:30",
            dt.datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=dt.timezone(-dt.timedelta(hours=2, minutes=30))),
        ),
    ],
)
def test_pymssql_cuts_the_seventh_digit_off(
    engine: ScriptedEngine, connect: Connect, sql_type: str, held: str, given_back: Any
) -> None:
    assert fetch(engine, connect, [("it", sql_type)], [(held,)]) == [(given_back,)]


def test_pymssql_swallows_a_lone_surrogate(engine: ScriptedEngine, connect: Connect) -> None:
    assert fetch(engine, connect, [("it", "nvarchar(5)")], [("\ud83d",)]) == [("",)]


def test_datetime_has_three_hundredths_of_a_second(engine: ScriptedEngine, connect: Connect) -> None:
    held = [(dt.datetime(2024, 1, 1, 0, 0, 0, ms * 1000),) for ms in (0, 1, 2, 4, 5, 8, 9, 999)]

    fetched = fetch(engine, connect, [("it", "datetime")], held)

    assert [value.microsecond for (value,) in fetched] == [0, 0, 3000, 3000, 7000, 7000, 10_000, 0]
    assert fetched[-1] == (dt.datetime(2024, 1, 1, 0, 0, 1),)


def test_negative_zero_is_not_mistaken_for_zero(engine: ScriptedEngine, connect: Connect) -> None:
    fetched = fetch(engine, connect, [("it", "float")], [(0.0,), (-0.0,), (0.0,)])

    assert [math.copysign(1, value) for (value,) in fetched] == [1, -1, 1]


def test_one_instant_keeps_both_its_offsets(engine: ScriptedEngine, connect: Connect) -> None:
    instant = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

    fetched = fetch(engine, connect, [("it", "datetimeoffset(0)")], [(instant,), (instant.astimezone(UTC_PLUS_3),)])

    assert [value.utcoffset() for (value,) in fetched] == [dt.timedelta(0), dt.timedelta(hours=3)]


@pytest.mark.parametrize("sql_type", ["varchar(40)", "char(40)", "varchar(max)", "text"])
def test_non_unicode_text_loses_what_its_code_page_lacks(
    engine: ScriptedEngine, connect: Connect, sql_type: str
) -> None:
    [(value,)] = fetch(engine, connect, [("it", sql_type)], [("Şğ 東 😀",)])

    assert value.rstrip() == "Şğ ? ?"


def test_collation_is_a_setting_of_the_column(engine: ScriptedEngine, connect: Connect) -> None:
    result = make_result([], [("Şé", "Şé 東京 😀")])
    result.columns = [
        make_column("latin", "varchar(10)", collation=LATIN1),
        make_column("utf8", "varchar(40)", collation=UTF8),
    ]
    engine.script("SELECT it", [result])
    cursor = connect().cursor()

    cursor.execute("SELECT it")

    assert cursor.fetchall() == [("?é", "Şé 東京 😀")]


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        ("tinyint", 256),
        ("tinyint", -1),
        ("int", 2**31),
        ("bigint", -(2**63) - 1),
        ("decimal(5, 2)", Decimal("1000")),
        ("decimal(5, 2)", Decimal("NaN")),
        ("decimal(5, 2)", "many"),
        ("money", Decimal("922337203685477.5808")),
        ("smallmoney", Decimal("214748.3648")),
        ("datetime", dt.datetime(1752, 12, 31)),
        ("datetime2(0)", dt.datetime(9999, 12, 31, 23, 59, 59, 500_000)),
        ("datetime2(3)", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        ("smalldatetime", dt.datetime(2079, 6, 7)),
        ("date", "yesterday"),
        ("varchar(3)", "four"),
        ("nvarchar(1)", "😀"),
        ("nvarchar(5)", 5),
        ("varbinary(1)", b"12"),
        ("uniqueidentifier", "no"),
        ("float", "x"),
    ],
)
def test_value_beyond_its_type_is_an_encoding_error(sql_type: str, value: Any) -> None:
    with pytest.raises(EncodingError, match="expected"):
        build_encoder(SqlType.parse(sql_type), nullable=True)(value)


def test_rows_of_the_wrong_width_are_an_encoding_error() -> None:
    encoder = RowEncoder([(SqlType("int"), True), (SqlType("int"), True)])

    for rows in ([(1,)], [(1, 2), (1, 2, 3)], [(1, 2, 3)]):
        with pytest.raises(EncodingError, match="rows of 2 values"):
            encoder.encode(rows)


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("INT", "int"),
        ("[nvarchar](20)", "nvarchar(20)"),
        ("nvarchar( MAX )", "nvarchar(max)"),
        ("varchar", "varchar(1)"),
        ("decimal", "decimal(18, 0)"),
        ("numeric(5)", "numeric(5, 0)"),
        ("datetime2", "datetime2(7)"),
        ("datetime2(0)", "datetime2(0)"),
        ("float(24)", "real"),
        ("float(53)", "float"),
        ("timestamp", "rowversion"),
        ("sysname", "nvarchar(128)"),
    ],
)
def test_type_is_read_as_t_sql_spells_it(spelling: str, canonical: str) -> None:
    assert str(SqlType.parse(spelling)) == canonical


@pytest.mark.parametrize(
    "spelling",
    ["", "money(3)", "decimal(39, 0)", "decimal(5, 6)", "time(8)", "nvarchar(4001)", "char(max)", "geometry"],
)
def test_type_that_sql_server_lacks_is_refused(spelling: str) -> None:
    with pytest.raises(UnknownTypeError, match="expected"):
        SqlType.parse(spelling)


bmp_and_beyond = st.characters(exclude_categories=["Cs"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=6).filter(lambda d: abs(d) < 10**32),
            st.none() | st.text(bmp_and_beyond, max_size=100),
            st.none() | st.text(st.sampled_from(EVERY_LETTER + "abc €"), max_size=50),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.datetimes(),
            st.none() | st.times(),
            st.none() | st.dates(),
            st.none() | st.binary(max_size=100),
            st.none() | st.booleans(),
            st.none() | st.uuids(),
        ),
        max_size=20,
    )
)
def test_any_row_arrives_as_it_was(engine: ScriptedEngine, connect: Connect, rows: list[Any]) -> None:
    columns = [
        ("a", "bigint"),
        ("b", "decimal(38, 6)"),
        ("c", "nvarchar(max)"),
        ("d", "varchar(50)"),
        ("e", "float"),
        ("f", "datetime2(6)"),
        ("g", "time(6)"),
        ("h", "date"),
        ("i", "varbinary(100)"),
        ("j", "bit"),
        ("k", "uniqueidentifier"),
    ]

    assert fetch(engine, connect, columns, rows) == rows

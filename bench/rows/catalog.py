"""What the stand-in tells the peers beside the rows: answers to the questions with which their libraries begin.

Each is answered as far as its asker looks at it: SQLAlchemy (dlt, pandas), go-mssqldb (sling, ingestr), connectorx.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlglot
from sqlglot import exp

from bench.rows.lines import COLUMN_TYPES, Lines
from sandbox.tds.engine import Outcome
from sandbox.tds.housekeeping import PRODUCT_VERSION
from sandbox.tds.scripted_engine import ScriptedEngine, make_result
from sandbox.tds.types import SqlType

# SQLAlchemy takes nothing for a SQL Server that does not begin like this.
VERSION_TEXT = f"Microsoft SQL Server is what this stand-in is not - {PRODUCT_VERSION}"
_SCALARS = {
    "SELECT 1": ("int", 1),
    "SELECT @@VERSION": ("nvarchar(200)", VERSION_TEXT),
    "SELECT schema_name()": ("nvarchar(128)", "dbo"),
    "SELECT CAST('test max support' AS NVARCHAR(max))": ("nvarchar(max)", "test max support"),
}
_ISOLATION = "READ COMMITTED"
_QUOTES = re.compile(r'[\[\]"]')
_DECLARATION = re.compile(r"DECLARE [^;]*;")


def script_catalog(engine: ScriptedEngine, tables: Sequence[Lines]) -> None:
    """Teach the engine the answers."""
    for question, (kind, value) in _SCALARS.items():
        engine.script(question, [make_result([("", kind)], [(value,)], reads_table=False)])
    engine.script("SELECT GETUTCDATE(), GETDATE()", _tell_time)
    for mentioned in ("sys.synonyms", "key_column_usage"):
        engine.script(_mentions(mentioned), _tell_nothing)
    engine.script(_mentions("transaction_isolation_level"), partial(_tell_text, _ISOLATION))
    engine.script(_mentions("sys.system_views"), partial(_tell_text, "dm_exec_sessions"))
    engine.script(_mentions("information_schema.columns"), _describe_columns)
    engine.script(_mentions("information_schema.tables"), partial(_list_tables, tables))
    for lines in tables:
        engine.script(_mentions("fmtonly", table=lines.table), _tell_first)
        engine.script(_mentions("top", table=lines.table), _tell_first)
        engine.script(_mentions("count(", table=lines.table), partial(_count, lines))


def _mentions(part: str, table: str = "") -> Callable[[str], bool]:
    name = re.compile(rf"\b{table}\b")

    def matches(text: str) -> bool:
        plain = _QUOTES.sub("", text).lower()
        return part in plain and name.search(plain) is not None

    return matches


def _tell_time(_text: str) -> Iterator[Outcome]:
    now = datetime.now(UTC).replace(tzinfo=None)
    yield make_result([("", "datetime"), ("", "datetime")], [(now, now)], reads_table=False)


def _tell_text(value: str, _text: str) -> Iterator[Outcome]:
    yield make_result([("", "nvarchar(128)")], [(value,)], reads_table=False)


def _tell_nothing(text: str) -> Iterator[Outcome]:
    yield make_result([(name, "nvarchar(128)") for name, _ in _read_items(text)], [])


def _tell_first(_text: str) -> Iterator[Outcome]:
    """Answer who only wants to know the columns."""
    yield make_result([(name, kind) for name, (kind, _) in COLUMN_TYPES.items()], [])


def _count(lines: Lines, _text: str) -> Iterator[Outcome]:
    yield make_result([("", "int")], [(lines.rows,)])


def _list_tables(tables: Sequence[Lines], _text: str) -> Iterator[Outcome]:
    yield make_result([("TABLE_NAME", "nvarchar(128)")], [(lines.table,) for lines in tables])


def _describe_columns(text: str) -> Iterator[Outcome]:
    items = _read_items(text)
    described = [_describe(name, kind, null) for name, (kind, null) in COLUMN_TYPES.items()]
    kinds = {True: "int", False: "nvarchar(128)"}
    types = [(alias, kinds[name.startswith(("numeric", "character", "ordinal"))]) for alias, name in items]
    yield make_result(types, [tuple(row.get(name) for _, name in items) for row in described])


def _describe(name: str, kind: str, null: bool) -> dict[str, Any]:
    """Return a row of INFORMATION_SCHEMA.COLUMNS."""
    sql_type = SqlType.parse(kind)
    digits = (10, 0) if sql_type.name == "int" else (sql_type.precision, sql_type.scale)
    is_number = sql_type.name in ("int", "decimal")
    return {
        "column_name": name,
        "data_type": sql_type.name,
        "is_nullable": "YES" if null else "NO",
        "numeric_precision": digits[0] if is_number else None,
        "numeric_scale": digits[1] if is_number else None,
        "character_maximum_length": sql_type.length,
    }


def _read_items(text: str) -> list[tuple[str, str]]:
    """Return the name that each item of the SELECT is to have, and that of its column."""
    query = sqlglot.parse_one(_DECLARATION.sub("", text), read="tsql").find(exp.Select)
    return [] if query is None else [(item.alias_or_name, item.unalias().name.lower()) for item in query.selects]

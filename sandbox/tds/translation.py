"""T-SQL statements as PostgreSQL statements.

sqlglot parses T-SQL and writes PostgreSQL; where its reading of T-SQL is not SQL Server's, the tree is rewritten
here first, mostly into calls of the functions of `tsql_functions.sql`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokenizer_core import TokenType

from sandbox.tds.changes import target_joined_change
from sandbox.tds.column_mapping import read_data_type, spell_for_postgres
from sandbox.tds.engine import make_error
from sandbox.tds.housekeeping import SessionState
from sandbox.tds.types import SqlType

_INTEGERS = {"tinyint", "smallint", "int", "bigint"}
_DATES = {"date", "datetime", "smalldatetime", "datetime2"}
_CLUSTERED = re.compile(r"\b(?:NON)?CLUSTERED\b", re.IGNORECASE)
_ON_FILEGROUP = re.compile(r"\)\s*(?:WITH\s*\([^)]*\)\s*)?ON\s+\[?PRIMARY\]?\s*$", re.IGNORECASE)
_DATE_PARTS = {
    "yy": "year", "yyyy": "year", "qq": "quarter", "q": "quarter", "mm": "month", "m": "month", "dy": "dayofyear",
    "y": "dayofyear", "dd": "day", "d": "day", "wk": "week", "ww": "week", "dw": "weekday", "w": "weekday",
    "hh": "hour", "mi": "minute", "n": "minute", "ss": "second", "s": "second", "ms": "millisecond",
    "mcs": "microsecond", "isowk": "iso_week", "isoww": "iso_week", "doy": "dayofyear", "dayofweek": "weekday",
    "weekofyear": "week", "weekiso": "iso_week",
}  # fmt: skip


class StandInTSQL(TSQL):
    """sqlglot's T-SQL, with ntext told apart from text and float from real."""

    class Tokenizer(TSQL.Tokenizer):
        """Read them as types of their own; `column_mapping` spells them again."""

        KEYWORDS = {  # noqa: RUF012 - sqlglot's interface
            **TSQL.Tokenizer.KEYWORDS,
            "NTEXT": TokenType.LONGTEXT,
            "REAL": TokenType.FLOAT,
            "FLOAT": TokenType.DOUBLE,
        }


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable's type and its value as PostgreSQL writes it as text; None is NULL."""

    type: SqlType
    value: str | None


def parse_statement(text: str, line: int = 1) -> exp.Expr:
    """Return the parsed statement; raises EngineError 102."""
    if text.upper().startswith("CREATE"):
        text = _ON_FILEGROUP.sub(")", _CLUSTERED.sub("", text))
    try:
        parsed = sqlglot.parse_one(text, read=StandInTSQL)
    except SqlglotError as error:
        raise make_error(102, f"Incorrect syntax, as the stand-in reads it: {error}", 15, line=line) from error
    return parsed


class Translator:
    """Translates parsed statements of one batch; what they mention of the session comes from state and variables."""

    def __init__(self, state: SessionState, variables: Mapping[str, Variable], databases: set[str]) -> None:
        self._state = state
        self._variables = variables
        self._databases = databases
        self._handlers: dict[type, Callable[[Any], exp.Expr | None]] = {
            exp.National: lambda node: exp.Literal.string(node.name),
            exp.HexString: lambda node: _cast(exp.Literal.string(f"\\x{node.name}"), "bytea"),
            exp.Parameter: self._parameter,
            exp.Identifier: _lower_identifier,
            exp.Table: self._table,
            exp.Cast: lambda node: self._cast(node.this, node.to),
            exp.TryCast: lambda node: self._try_cast(node.this, node.to),
            exp.Convert: self._convert,
            exp.Length: lambda node: _call("len", _unwrap(node.this)),
            exp.DateAdd: lambda node: _call("dateadd", _part(node.args.get("unit")), node.expression, node.this),
            exp.DateDiff: _date_difference,
            exp.Extract: lambda node: _call("datepart", _part(node.this), _moment(node.expression)),
            exp.Year: lambda node: _call("datepart", _part("year"), _moment(node.this)),
            exp.Month: lambda node: _call("datepart", _part("month"), _moment(node.this)),
            exp.Day: lambda node: _call("datepart", _part("day"), _moment(node.this)),
            exp.DateFromParts: lambda node: _function("make_date", *_arguments(node)),
            exp.LastDay: lambda node: _call("eomonth", _moment(node.this)),
            exp.CurrentTimestamp: lambda _: _call("getdate"),
            exp.CurrentTimestampLTZ: lambda _: _function("statement_timestamp"),
            exp.Stuff: lambda node: _call("stuff", *_arguments(node)),
            exp.ObjectId: lambda node: _call("object_id", node.this),
            exp.Collate: lambda node: node.this,
            exp.Anonymous: self._anonymous,
            exp.ColumnDef: _define_column,
            exp.PrimaryKey: _drop_key_order,
            exp.With: _mark_recursion,
            exp.Select: _drop_options,
            exp.Pivot: lambda _: _refuse("PIVOT"),
            exp.ForClause: lambda node: _refuse(f"FOR {node.args.get('kind')}"),
            exp.Returning: lambda _: _refuse("OUTPUT"),
        }

    def translate(self, statement: exp.Expr) -> str:
        """Return PostgreSQL text; raises EngineError for what the stand-in does not know. The tree is used up."""
        statement = target_joined_change(statement)
        for node in reversed(list(statement.walk())):
            handler = next((self._handlers[kind] for kind in type(node).__mro__ if kind in self._handlers), None)
            replacement = node if handler is None else handler(node)
            if replacement is None or replacement is node:
                continue
            if node is statement:
                statement = replacement
            else:
                node.replace(replacement)
        return statement.sql("postgres", unsupported_level=ErrorLevel.IGNORE, comments=False)

    def _parameter(self, node: exp.Parameter) -> exp.Expr | None:
        if isinstance(node.parent, exp.Parameter):
            return None
        if isinstance(node.this, exp.Parameter):
            found = self._state.global_value(node.this.name)
            if found is None:
                raise make_error(137, f'Must declare the scalar variable "@@{node.this.name}".', 15, 2)
            sql_type, value = found
            return _typed_literal(sql_type, None if value is None else str(value))
        variable = self._variables.get(node.name.lower())
        if variable is None:
            raise make_error(137, f'Must declare the scalar variable "@{node.name}".', 15, 2)
        return _typed_literal(variable.type, variable.value)

    def _table(self, node: exp.Table) -> None:
        node.set("hints", None)
        catalog = node.args.get("catalog")
        if catalog is not None:
            if catalog.name.lower() not in self._databases:
                raise make_error(208, f"Invalid object name '{catalog.name}.{node.db}.{node.name}'.")
            node.set("catalog", None)
            if node.args.get("db") is None or not node.db:
                node.set("db", exp.to_identifier("dbo", quoted=True))
        if node.db.lower() == "information_schema":
            node.set("db", exp.to_identifier("tsql", quoted=True))

    def _cast(self, value: exp.Expr, data_type: exp.Expr) -> exp.Expr:
        if isinstance(data_type, exp.DataType) and data_type.this == exp.DataType.Type.USERDEFINED:
            return exp.Cast(this=value, to=data_type)
        sql_type = read_data_type(data_type, in_cast=True)
        if sql_type.name == "bit":
            return _call("to_bit", _cast(value, "text"))
        if sql_type.name in _INTEGERS and not (isinstance(value, exp.Literal) and value.is_string):
            value = _call("truncated", value)
        return _cast(value, spell_for_postgres(sql_type))

    def _try_cast(self, value: exp.Expr, data_type: exp.Expr) -> exp.Expr:
        """Return the value cast where PostgreSQL finds its text valid, else NULL."""
        if isinstance(data_type, exp.DataType) and data_type.this == exp.DataType.Type.USERDEFINED:
            return exp.Cast(this=value, to=data_type)
        spelling = spell_for_postgres(read_data_type(data_type, in_cast=True))
        text = _cast(value, "text")
        valid = _function("pg_input_is_valid", text, exp.Literal.string(spelling))
        # The cast stands outside CASE: inside, PostgreSQL would fold a constant one before it is asked for.
        return _cast(exp.Case(ifs=[exp.If(this=valid, true=text.copy())]), spelling)

    def _convert(self, node: exp.Convert) -> exp.Expr:
        value, data_type, style = node.expression, node.this, node.args.get("style")
        if node.args.get("safe"):
            return self._try_cast(value, data_type)
        sql_type = read_data_type(data_type, in_cast=True)
        if style is not None and sql_type.is_text:
            return _cast(_call("styled", value, style), spell_for_postgres(sql_type))
        if style is not None and sql_type.name in _DATES:
            return _cast(_call("moment", value, style), spell_for_postgres(sql_type))
        return self._cast(value, data_type)

    def _anonymous(self, node: exp.Anonymous) -> exp.Expr | None:
        name = node.name.upper()
        if name == "DB_NAME":
            return exp.Literal.string(self._state.database)
        if name == "SERVERPROPERTY" and node.expressions:
            value = self._state.property_value(node.expressions[0].name)
            return exp.null() if value is None else exp.Literal.string(str(value))
        if name == "OBJECT_ID":
            return _call("object_id", *node.expressions)
        return None


def _lower_identifier(node: exp.Identifier) -> exp.Expr:
    prefix = "#" if node.args.get("temporary") and not node.name.startswith("#") else ""
    return exp.to_identifier(prefix + node.name.lower(), quoted=True)


def _define_column(node: exp.ColumnDef) -> None:
    kind = node.args.get("kind")
    if kind is None or (isinstance(kind, exp.DataType) and kind.this == exp.DataType.Type.USERDEFINED):
        return
    node.set("kind", _raw_type(spell_for_postgres(read_data_type(kind, in_cast=False))))
    allowing_null = (
        constraint
        for constraint in node.args.get("constraints") or []
        if isinstance(constraint.kind, exp.NotNullColumnConstraint) and constraint.kind.args.get("allow_null")
    )
    for constraint in list(allowing_null):
        constraint.pop()


def _drop_key_order(node: exp.PrimaryKey) -> None:
    node.set("expressions", [part.this if isinstance(part, exp.Ordered) else part for part in node.expressions])


def _mark_recursion(node: exp.With) -> None:
    # T-SQL has no RECURSIVE.
    recursive = any(
        table.name.lower() == common.alias.lower() and not table.db
        for common in node.expressions
        for table in common.this.find_all(exp.Table)
    )
    node.set("recursive", recursive)


def _drop_options(node: exp.Select) -> None:
    node.set("options", None)


def _date_difference(node: exp.DateDiff) -> exp.Expr:
    difference = _call(
        "datediff", _part(node.args.get("unit")), _moment(_unwrap(node.expression)), _moment(_unwrap(node.this))
    )
    return difference if node.args.get("big_int") else _cast(difference, "integer")


def _unwrap(node: exp.Expr) -> exp.Expr:
    """Return what sqlglot wrapped in a conversion that T-SQL does not have."""
    if isinstance(node, exp.TimeStrToTime | exp.TsOrDsToDate | exp.TsOrDsToTimestamp):
        return node.this  # type: ignore[no-any-return]
    return node


def _moment(node: exp.Expr) -> exp.Expr:
    return _cast(_unwrap(node), "timestamp")


def _part(unit: object) -> exp.Expr:
    name = (unit.name if isinstance(unit, exp.Expr) else str(unit)).lower()
    return exp.Literal.string(_DATE_PARTS.get(name, name))


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    return [value for key in node.arg_types for value in [node.args.get(key)] if isinstance(value, exp.Expr)]


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return _function(f"tsql.{name}", *arguments)


def _function(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _raw_type(spelling: str) -> exp.DataType:
    return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=spelling)


def _cast(value: exp.Expr, spelling: str) -> exp.Expr:
    return exp.Cast(this=value, to=_raw_type(spelling))


def _typed_literal(sql_type: SqlType, value: str | None) -> exp.Expr:
    return _cast(exp.null() if value is None else exp.Literal.string(value), spell_for_postgres(sql_type))


def _refuse(what: str) -> exp.Expr:
    raise make_error(50000, f"The stand-in SQL Server does not know {what}.")

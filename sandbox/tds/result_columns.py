"""Names and types of a query's result columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlglot import exp

from sandbox.tds.column_mapping import type_of_result
from sandbox.tds.engine import Column
from sandbox.tds.expression_types import ExpressionTypes
from sandbox.tds.table_memory import TableColumn, TableMemory
from sandbox.tds.translation import Variable
from sandbox.tds.types import SqlType

_CATALOGS = {"sys", "information_schema"}


@dataclass(frozen=True)
class ResultHints:
    """What a query's text says of its result before it is translated.

    `columns` are name and type (None: unknown) of each column, or None when a `*` leaves them open; `named` is False
    when the names in there are not the query's own; `spelling` maps lower-case names to the query's spelling;
    `table_columns` are by (pg_class.oid, attnum).
    """

    columns: list[tuple[str, SqlType | None]] | None
    named: bool
    spelling: dict[str, str]
    table_columns: dict[tuple[int, int], TableColumn]
    reads_table: bool


def read_hints(query: exp.Query, memory: TableMemory, variables: Mapping[str, Variable]) -> ResultHints:
    """Return the hints of a parsed T-SQL query."""
    common = {node.alias_or_name.lower() for node in query.find_all(exp.CTE)}
    tables = [
        node
        for node in query.find_all(exp.Table)
        if node.name and node.db.lower() not in _CATALOGS and (node.db or node.name.lower() not in common)
    ]
    remembered = memory.recall(tables)
    types = {table: {column.name.lower(): column.type for column in columns} for table, columns in remembered.items()}
    return ResultHints(
        columns=ExpressionTypes(types, variables, memory.collation).columns_of(query),
        named=not any(item.is_star for item in query.selects),
        spelling={node.name.lower(): node.name for node in query.find_all(exp.Identifier)},
        table_columns={(column.table, column.number): column for columns in remembered.values() for column in columns},
        reads_table=bool(tables),
    )


def describe_result(cursor: psycopg.ServerCursor[Any], hints: ResultHints) -> list[Column]:
    """Return the columns of an executed query."""
    result = cursor.pgresult
    if result is None or cursor.description is None:
        return []
    hinted = hints.columns
    if hinted is None or len(hinted) != result.nfields:
        hinted = [("", None)] * result.nfields
    columns = []
    for index, (described, (name, sql_type)) in enumerate(zip(cursor.description, hinted, strict=True)):
        origin = hints.table_columns.get((result.ftable(index), result.ftablecol(index)))
        if not hints.named or hints.columns is None:
            name = hints.spelling.get(described.name, described.name)
            if origin is not None and described.name == origin.name.lower():
                name = origin.name
        if sql_type is None:
            sql_type = origin.type if origin else type_of_result(described.type_code, result.fmod(index))
        # Nullable always: an outer join makes NULLs of a NOT NULL column.
        columns.append(Column(name, sql_type))
    return columns

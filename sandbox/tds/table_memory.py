"""What tables remember of the T-SQL that made them.

PostgreSQL folds names to lower case and has fewer types than SQL Server, so CREATE TABLE leaves a comment on each
column: `{"name": "UnitPrice", "type": "money"}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlglot import exp

from sandbox.tds.collations import Collation
from sandbox.tds.column_mapping import read_data_type, type_of_result
from sandbox.tds.types import SqlType

_COLUMNS = """
    SELECT asked.position - 1, a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod,
           col_description(a.attrelid, a.attnum)
      FROM unnest(%s::text[]) WITH ORDINALITY AS asked(name, position)
      JOIN pg_attribute a ON a.attrelid = to_regclass(asked.name)
     WHERE a.attnum > 0 AND NOT a.attisdropped
     ORDER BY asked.position, a.attnum"""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A table's column: its place in PostgreSQL (pg_class.oid, attnum), its name as created, its T-SQL type."""

    table: int
    number: int
    name: str
    type: SqlType


class TableMemory:
    """Reads and writes the comments through one connection."""

    def __init__(self, connection: psycopg.Connection, collation: Collation) -> None:
        self.collation = collation
        self._connection = connection

    def recall(self, tables: Iterable[exp.Table]) -> dict[str, list[TableColumn]]:
        """Return the columns of those tables that exist, in order, by the table's lower-case name."""
        asked = {_spell_table(table).as_string(self._connection): table.name.lower() for table in tables}
        if not asked:
            return {}
        names = list(asked)
        found: dict[str, list[TableColumn]] = {}
        for position, table, number, name, oid, modifier, comment in self._connection.execute(_COLUMNS, (names,)):
            remembered = self._read_comment(comment) or (name, type_of_result(oid, modifier))
            found.setdefault(asked[names[position]], []).append(TableColumn(table, number, *remembered))
        return found

    def remember(self, statement: exp.Expr) -> None:
        """Comment the table of a parsed CREATE TABLE or ALTER TABLE … ADD."""
        table = statement.find(exp.Table)
        definitions = list(statement.find_all(exp.ColumnDef))
        if table is None or not definitions:
            return
        qualified = _spell_table(table)
        if isinstance(statement, exp.Create):
            comment = json.dumps({"name": table.name}, ensure_ascii=False)
            self._connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(qualified, comment))
        for definition in definitions:
            kind = definition.args.get("kind")
            if kind is None:
                continue
            sql_type = read_data_type(kind, in_cast=False)
            comment = json.dumps({"name": definition.name, "type": str(sql_type)}, ensure_ascii=False)
            column = sql.Identifier(definition.name.lower())
            self._connection.execute(sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(qualified, column, comment))

    def _read_comment(self, comment: str | None) -> tuple[str, SqlType] | None:
        try:
            remembered = json.loads(comment or "")
            return remembered["name"], SqlType.parse(remembered["type"], self.collation)
        except (ValueError, KeyError, TypeError):
            return None  # no comment, or somebody else's


def _spell_table(table: exp.Table) -> sql.Identifier:
    if table.this.args.get("temporary"):
        return sql.Identifier("#" + table.name.lower())
    return sql.Identifier(table.db.lower() or "dbo", table.name.lower())

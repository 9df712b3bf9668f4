"""The variables of a batch: DECLARE @x type = …, SET @x = …, SELECT @x = …."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from sandbox.tds.backing_connection import BackingConnection
from sandbox.tds.batches import Statement
from sandbox.tds.collations import Collation
from sandbox.tds.column_mapping import read_data_type, spell_for_postgres
from sandbox.tds.engine import make_error
from sandbox.tds.translation import Variable, parse_statement
from sandbox.tds.types import SqlType

_OPERATORS = "+-*/%"


class Variables:
    """Variables by lower-case name, evaluated by PostgreSQL when they are set.

    `translate` turns a parsed statement into PostgreSQL, with these variables' values in it.
    """

    def __init__(self, backing: BackingConnection, collation: Collation, translate: Callable[[exp.Expr], str]) -> None:
        self._backing = backing
        self._collation = collation
        self._translate = translate
        self._values: dict[str, Variable] = {}

    @property
    def values(self) -> Mapping[str, Variable]:
        """The variables as they are now."""
        return self._values

    def clear(self) -> None:
        """Forget all of them, as the next batch does."""
        self._values.clear()

    def declare(self, statement: Statement) -> None:
        """Add the variables of a DECLARE; raises EngineError."""
        parsed = parse_statement(statement.text, statement.line)
        if not isinstance(parsed, exp.Declare):
            raise make_error(102, f"Incorrect syntax near: {statement.text[:100]}", 15, line=statement.line)
        for item in parsed.expressions:
            kind = item.args.get("kind")
            if isinstance(kind, exp.Schema):
                raise make_error(50000, "The stand-in SQL Server does not know table variables.", line=statement.line)
            sql_type = read_data_type(kind, in_cast=False, collation=self._collation)
            default = item.args.get("default")
            value = self.evaluate(default, sql_type, statement.line) if default else None
            for name in item.this if isinstance(item.this, list) else [item.this]:
                self._values[name.name.lower()] = Variable(sql_type, value)

    def assign(self, statement: Statement) -> None:
        """Carry out SET @x = …, also with an operator (SET @x += …); raises EngineError."""
        name, operator, expression = _split_assignment(statement)
        variable = self._find(name)
        source = f"@{name} {operator} ({expression})" if operator else expression
        parsed = parse_statement(f"SELECT {source}", statement.line).expressions[0]
        self._values[name] = Variable(variable.type, self.evaluate(parsed, variable.type, statement.line))

    def assign_from_query(self, query: exp.Query, line: int) -> int:
        """Carry out SELECT @x = … FROM …: the last row's values stay; returns the number of rows."""
        assignments = [(item.this.name.lower(), item.expression) for item in query.expressions]
        kinds = [self._find(name).type for name, _ in assignments]
        query.set("expressions", [expression for _, expression in assignments])
        names = ", ".join(f"v{index}" for index in range(len(kinds)))
        casts = ", ".join(f"v{index}::{spell_for_postgres(kind)}::text" for index, kind in enumerate(kinds))
        inner = self._translate(query)
        rows = self._backing.fetch(f"SELECT {casts} FROM ({inner}) AS assigned({names})", line)  # noqa: S608 - SQL is what it is for
        if rows:
            for (name, _), kind, value in zip(assignments, kinds, rows[-1], strict=True):
                self._values[name] = Variable(kind, value)
        return len(rows)

    def evaluate(self, expression: exp.Expr, sql_type: SqlType, line: int) -> str | None:
        """Return the expression's value, cast to the type, as PostgreSQL writes it."""
        inner = self._translate(exp.Select(expressions=[expression.copy()]))
        spelling = spell_for_postgres(sql_type)
        rows = self._backing.fetch(f"SELECT v::{spelling}::text FROM ({inner}) AS value(v)", line)  # noqa: S608 - SQL is what it is for
        return rows[0][0] if rows else None

    def _find(self, name: str) -> Variable:
        if name not in self._values:
            raise make_error(137, f'Must declare the scalar variable "@{name}".', 15, 2)
        return self._values[name]


def assigns_variables(query: exp.Query) -> bool:
    """Whether a SELECT assigns to variables instead of giving rows."""
    items = query.expressions if isinstance(query, exp.Select) else []
    return bool(items) and all(isinstance(item, exp.EQ) and isinstance(item.this, exp.Parameter) for item in items)


def _split_assignment(statement: Statement) -> tuple[str, str, str]:
    left, _, expression = statement.text[len("SET") :].partition("=")
    left = left.strip()
    operator = left[-1] if left[-1:] and left[-1] in _OPERATORS else ""
    name = left.rstrip(_OPERATORS + " ").removeprefix("@").lower()
    if not name.isidentifier() or not expression.strip():
        raise make_error(102, f"Incorrect syntax near: {statement.text[:100]}", 15, line=statement.line)
    return name, operator, expression.strip()

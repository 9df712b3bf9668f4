"""The SQL Server types of a query's result columns, worked out from its text and the types of the tables it reads.

PostgreSQL cannot tell: it has no money, and its numeric arithmetic gives no precision. Where this does not know
either, the answer is None and PostgreSQL's own type is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, build_scope

from sandbox.tds import type_arithmetic as arithmetic
from sandbox.tds.collations import Collation
from sandbox.tds.column_mapping import read_data_type
from sandbox.tds.translation import Variable
from sandbox.tds.types import SqlType

TableTypes = Mapping[str, Mapping[str, SqlType]]
"""Column types by lower-case table name, then by lower-case column name, in table order."""

_LARGEST_INT = 2**31 - 1
_DATES = {"date", "datetime", "smalldatetime", "datetime2", "datetimeoffset"}
_KEEPS_TYPE = (exp.Paren, exp.Neg, exp.Max, exp.Min, exp.Abs, exp.Upper, exp.Lower, exp.Window)
_CUTS_TEXT = (exp.Trim, exp.Substring, exp.Left, exp.Right)


class ExpressionTypes:
    """Types of expressions in one query."""

    def __init__(self, tables: TableTypes, variables: Mapping[str, Variable], collation: Collation) -> None:
        self._tables = tables
        self._variables = variables
        self._collation = collation
        self._known: dict[int, list[tuple[str, SqlType | None]] | None] = {}
        handlers: list[tuple[type | tuple[type, ...], Callable[[Any, Scope], SqlType | None]]] = [
            (exp.Column, self._column),
            (exp.Literal, lambda node, _: self._literal(node)),
            (exp.National, lambda node, _: SqlType("nvarchar", length=_utf16_length(node.name))),
            (exp.Convert, lambda node, _: read_data_type(node.this, in_cast=True, collation=collation)),
            (exp.Cast, lambda node, _: read_data_type(node.to, in_cast=True, collation=collation)),
            (exp.Parameter, lambda node, _: self._variable(node)),
            (exp.Count, lambda node, _: arithmetic.BIGINT if node.args.get("big_int") else arithmetic.INT),
            (exp.Sum, lambda node, scope: arithmetic.total(self.type_of(node.this, scope))),
            (exp.Avg, lambda node, scope: arithmetic.average(self.type_of(node.this, scope))),
            ((exp.Add, exp.Sub), self._calculated(arithmetic.add)),
            (exp.Mul, self._calculated(arithmetic.multiply)),
            (exp.Div, self._calculated(arithmetic.divide)),
            (exp.Coalesce, lambda node, scope: self._combined([node.this, *node.expressions], scope)),
            (exp.Case, self._case),
            (exp.If, lambda node, scope: self._combined([node.args["true"], node.args.get("false")], scope)),
            (exp.DateAdd, self._date_add),
            (exp.Subquery, lambda node, _: self._scalar_subquery(node)),
            (_CUTS_TEXT, lambda node, scope: arithmetic.vary(self.type_of(node.this, scope))),
            (_KEEPS_TYPE, lambda node, scope: self.type_of(node.this, scope)),
        ]
        self._handlers = handlers

    def columns_of(self, query: exp.Query) -> list[tuple[str, SqlType | None]] | None:
        """Return name and type of each result column, a `*` expanded; None when that cannot be told."""
        try:
            scope = build_scope(query)
        except SqlglotError:
            return None
        return None if scope is None else self._columns(scope)

    def type_of(self, node: exp.Expr | None, scope: Scope) -> SqlType | None:
        """Return the expression's type in this scope."""
        for kinds, handler in self._handlers:
            if isinstance(node, kinds):
                return handler(node, scope)
        return None

    def _columns(self, scope: Scope) -> list[tuple[str, SqlType | None]] | None:
        key = id(scope.expression)
        if key not in self._known:
            self._known[key] = None  # a recursive common table expression comes back here
            self._known[key] = self._work_out(scope)
        return self._known[key]

    def _work_out(self, scope: Scope) -> list[tuple[str, SqlType | None]] | None:
        if isinstance(scope.expression, exp.SetOperation):
            branches = [self._columns(branch) for branch in scope.set_operation_scopes]
            if len(branches) < 2 or branches[0] is None or branches[1] is None:
                return branches[0] if branches else None
            pairs = zip(branches[0], branches[1], strict=False)
            return [(name, arithmetic.combine([left, right])) for (name, left), (_, right) in pairs]
        if not isinstance(scope.expression, exp.Select):
            return None
        columns: list[tuple[str, SqlType | None]] = []
        for item in scope.expression.expressions:
            if not item.is_star:
                name = item.alias_or_name if isinstance(item, exp.Alias | exp.Column) else ""
                columns.append((name, self.type_of(item.unalias(), scope)))
                continue
            expanded = self._expand_star(item, scope)
            if expanded is None:
                return None
            columns += expanded
        return columns

    def _expand_star(self, item: exp.Expr, scope: Scope) -> list[tuple[str, SqlType | None]] | None:
        wanted = item.table.lower() if isinstance(item, exp.Column) else None
        columns: list[tuple[str, SqlType | None]] = []
        for name, (_, source) in scope.selected_sources.items():
            if wanted in {None, name.lower()}:
                expanded = self._source_columns(source)
                if expanded is None:
                    return None
                columns += expanded
        return columns

    def _source_columns(self, source: exp.Expr | Scope) -> list[tuple[str, SqlType | None]] | None:
        if isinstance(source, Scope):
            columns = self._columns(source)
            outer = source.outer_columns
            if columns is not None and len(outer) == len(columns):
                return [(name, sql_type) for name, (_, sql_type) in zip(outer, columns, strict=True)]
            return columns
        types = self._tables.get(source.name.lower()) if isinstance(source, exp.Table) else None
        return None if types is None else list(types.items())

    def _column(self, node: exp.Column, scope: Scope) -> SqlType | None:
        name, qualifier = node.name.lower(), node.table.lower()
        level: Scope | None = scope
        while level is not None:
            for source_name, (_, source) in level.selected_sources.items():
                if qualifier in {"", source_name.lower()}:
                    for column, sql_type in self._source_columns(source) or ():
                        if column.lower() == name:
                            return sql_type
            level = level.parent  # a correlated subquery
        return None

    def _literal(self, node: exp.Literal) -> SqlType | None:
        if node.is_string:
            length = max(len(self._collation.encode(node.name)), 1)
            return SqlType("varchar", length=length, collation=self._collation)
        integer, _, fraction = node.name.partition(".")
        if not (integer + fraction).isdigit():
            return SqlType("float")  # 1e3
        if not fraction and int(integer) <= _LARGEST_INT:
            return arithmetic.INT
        digits = integer.lstrip("0")
        return arithmetic.make_decimal(max(len(digits) + len(fraction), 1), len(fraction))

    def _variable(self, node: exp.Parameter) -> SqlType | None:
        variable = self._variables.get(node.name.lower())
        return None if variable is None else variable.type

    def _calculated(
        self, rule: Callable[[SqlType | None, SqlType | None], SqlType | None]
    ) -> Callable[[Any, Scope], SqlType | None]:
        def calculate(node: exp.Binary, scope: Scope) -> SqlType | None:
            return rule(self.type_of(node.this, scope), self.type_of(node.expression, scope))

        return calculate

    def _combined(self, nodes: list[exp.Expr | None], scope: Scope) -> SqlType | None:
        valued = [node for node in nodes if node is not None and not isinstance(node, exp.Null)]
        return arithmetic.combine(self.type_of(node, scope) for node in valued) if valued else None

    def _case(self, node: exp.Case, scope: Scope) -> SqlType | None:
        branches = [branch.args["true"] for branch in node.args["ifs"]]
        return self._combined([*branches, node.args.get("default")], scope)

    def _date_add(self, node: exp.DateAdd, scope: Scope) -> SqlType | None:
        added = self.type_of(node.this, scope)
        return added if added is not None and added.name in _DATES else None

    def _scalar_subquery(self, node: exp.Subquery) -> SqlType | None:
        columns = self.columns_of(node.this) if isinstance(node.this, exp.Query) else None
        return columns[0][1] if columns and len(columns) == 1 else None


def _utf16_length(text: str) -> int:
    return max(len(text.encode("utf-16-le", "surrogatepass")) // 2, 1)

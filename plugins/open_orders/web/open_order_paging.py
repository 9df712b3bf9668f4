"""Sorting by any column, and pages by keyset: a page begins after a row, not after a number of rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, UnaryExpression, and_, literal, or_, tuple_
from sqlalchemy.engine import Row

from open_orders.web.open_order_columns import COLUMNS, KEY, TABLE, from_text, to_json
from open_orders.web.problems import BadRequestError

NULLABLE = {column.name for column in COLUMNS if column.nullable}


@dataclass(frozen=True)
class Sort:
    """A column to sort by, and the direction; rows without a value come last in both."""

    column: str
    descending: bool = False

    @property
    def text(self) -> str:
        """The sort as a parameter: `due_date`, or `-due_date` for the highest first."""
        return f"-{self.column}" if self.descending else self.column

    @property
    def state(self) -> str:
        """The direction, in ARIA's words."""
        return "descending" if self.descending else "ascending"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that together put all rows into one order."""
        return (self.column, *(name for name in KEY if name != self.column))

    def order(self, *, reverse: bool = False) -> list[UnaryExpression[Any]]:
        """Return the ORDER BY."""
        descending = self.descending != reverse
        first = TABLE.c[self.column].desc() if descending else TABLE.c[self.column].asc()
        if self.column in NULLABLE:
            first = first.nulls_first() if reverse else first.nulls_last()
        # The key's columns have no NULL: without NULLS LAST the primary key's index serves both directions.
        rest = self.names[1:]
        return [first, *(TABLE.c[name].desc() if descending else TABLE.c[name].asc() for name in rest)]

    def beyond(self, position: Sequence[Any], *, reverse: bool = False) -> ColumnElement[bool]:
        """Return the condition for rows after a position in this order, or with `reverse` before it."""
        column = TABLE.c[self.column]
        upward = self.descending == reverse
        if position[0] is None:
            same = and_(column.is_(None), _compare(self.names[1:], position[1:], upward))
            return or_(column.is_not(None), same) if reverse else same
        further = _compare(self.names, position, upward)
        return or_(further, column.is_(None)) if self.column in NULLABLE and not reverse else further

    def cursor(self, row: Row[Any]) -> str:
        """Return the text that stands for a row's position in this order."""
        values = [to_json(getattr(row, name)) for name in self.names]
        text = json.dumps([None if value is None else str(value) for value in values], ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def position(self, cursor: str) -> list[Any]:
        """Return the position that a cursor stands for; raises BadRequestError."""
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            texts = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
            return [self._value(name, text) for name, text in zip(self.names, texts, strict=True)]
        # Brackets nested by the thousand end in a RecursionError.
        except (ValueError, TypeError, RecursionError) as error:
            raise BadRequestError("This page's address is damaged, or of another sort order.") from error

    @staticmethod
    def _value(name: str, text: object) -> Any:
        if text is None and name in NULLABLE:
            return None
        if not isinstance(text, str):
            raise TypeError(f"{name} is no text")
        return from_text(name, text)


def _compare(names: Sequence[str], values: Sequence[Any], upward: bool) -> ColumnElement[bool]:
    left = tuple_(*(TABLE.c[name] for name in names))
    right = tuple_(*(literal(value, TABLE.c[name].type) for name, value in zip(names, values, strict=True)))
    return left > right if upward else left < right


@dataclass(frozen=True)
class Position:
    """Where a page begins (`after`), or ends (`before`); neither: at the first row."""

    after: str = ""
    before: str = ""


def read_sort(
    sort: Annotated[str, Query(description="A column of the order; with a minus sign the highest first")] = "",
) -> Sort:
    """Return the sort of a request; raises BadRequestError for a column that there is not."""
    name = sort.removeprefix("-") or KEY[0]
    if name not in {column.name for column in COLUMNS}:
        raise BadRequestError(f"There is no column {name[:100]} to sort by.")
    return Sort(name, sort.startswith("-"))


def read_position(
    after: Annotated[str, Query(max_length=20_000, description="`next` of an earlier answer, in the same sort")] = "",
    before: Annotated[str, Query(max_length=20_000, description="`previous` of an earlier answer")] = "",
) -> Position:
    """Return which page a request asks for."""
    return Position(after, before)


Sorting = Annotated[Sort, Depends(read_sort)]
Paging = Annotated[Position, Depends(read_position)]

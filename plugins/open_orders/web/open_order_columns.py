"""The columns of the open orders as pages, exports and the API show them: all from the contract."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Table, and_

from open_orders import contract
from open_orders.contract import MONEY, OPEN_ORDERS, Column
from open_orders.models import OpenOrder

Kind = Literal["text", "integer", "quantity", "amount", "day", "local_time"]

TABLE: Table = OpenOrder.__table__
COLUMNS = OPEN_ORDERS.columns
KEY = OPEN_ORDERS.key
CHANGED_BY = TABLE.c["changed_job_log_id"]
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


@dataclass(frozen=True)
class ShownColumn:
    """A column of the contract with its heading and the way its values are shown."""

    name: str
    label: str
    description: str
    kind: Kind

    @property
    def is_number(self) -> bool:
        """Whether values are aligned right."""
        return self.kind in ("integer", "quantity", "amount")

    @property
    def subject(self) -> str:
        """What the column is about: the first word of its name."""
        return self.name.partition("_")[0]


def shown_columns() -> tuple[ShownColumn, ...]:
    """Return all columns of the contract, in its order."""
    return tuple(
        ShownColumn(column.name, label_of(column.name), column.description, _kind(column)) for column in COLUMNS
    )


def grouped_columns() -> tuple[tuple[ShownColumn, ...], ...]:
    """Return all columns; texts beside each other about the same thing, a code and its name, share a place."""
    groups: list[list[ShownColumn]] = []
    for column in shown_columns():
        last = groups[-1][-1] if groups else None
        if last and column.kind == last.kind == "text" and column.subject == last.subject:
            groups[-1].append(column)
        else:
            groups.append([column])
    return tuple(tuple(group) for group in groups)


def label_of(name: str) -> str:
    """Return a column's name as a heading: `Order number`."""
    return name.replace("_", " ").capitalize()


def _kind(column: Column) -> Kind:
    if column.type == MONEY:
        return "amount"
    match column.type:
        case contract.Numeric():
            return "quantity"
        case contract.Integer():
            return "integer"
        case contract.Date():
            return "day"
        case contract.LocalTimestamp():
            return "local_time"
        case contract.Text():
            return "text"


def overdue_clause(today: date) -> ColumnElement[bool]:
    """Return the condition that a line was due before today."""
    return and_(TABLE.c.due_date.is_not(None), TABLE.c.due_date < today)


def to_json(value: Any) -> Any:
    """Return a value as the API gives it: decimals as text, so that no digit is lost, dates and times in ISO form."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value


def from_text(name: str, value: str) -> Any:
    """Return a value of a contract's column from its text; raises ValueError for what such a column cannot hold."""
    column = next(column for column in COLUMNS if column.name == name)
    match column.type:
        case contract.Text():
            # Neither has UTF-8 a lone surrogate, nor PostgreSQL a NUL.
            if b"\x00" in value.encode():
                raise ValueError("a NUL character")
            return value
        case contract.Integer():
            number = int(value)
            if abs(number) >= 2**31:
                raise ValueError(f"{value} is no integer of four bytes")
            return number
        case contract.Date():
            return date.fromisoformat(value)
        case contract.LocalTimestamp():
            return datetime.fromisoformat(value)
        case contract.Numeric():
            if _NUMBER.fullmatch(value) is None:
                raise ValueError(f"{value!r} is no number")
            return Decimal(value)

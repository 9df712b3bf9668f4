"""The contract's rules in Python: what `validation.py` says in SQL; neither uses the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from open_orders.contract import OPEN_ORDERS, Column, Date, Integer, LocalTimestamp, Numeric, Text


def landed(value: Any) -> str | None:
    """Return the text of a value, as docs/fit.md promises it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return "0x" + value.hex().upper()
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else str(value).upper()


class BrokenError(Exception):
    """The value breaks the contract."""


def expect(column: Column, text: str | None) -> Any:
    """Return the value that the column must have, or raise BrokenError."""
    if text is None:
        if column.nullable:
            return None
        raise BrokenError
    if "\x00" in text or "\ufffd" in text:
        raise BrokenError
    match column.type:
        case Text(limit):
            if (column.key and not text.strip(" \t\r\n")) or (limit is not None and len(text) > limit):
                raise BrokenError
            return text
        case Integer():
            return int(_number(text, 10, 0, bound=Decimal(2**31)))
        case Numeric(precision, scale):
            return _number(text, precision, scale, bound=Decimal(10) ** (precision - scale))
        case Date():
            moment = _moment(text)
            if moment.time() != time(0) or re.search(r":\d\d\.\d*[1-9]", text):
                raise BrokenError
            return moment.date()
        case LocalTimestamp():
            return _moment(text, dashes_only=True)


def _number(text: str, precision: int, scale: int, bound: Decimal) -> Decimal:
    if not re.fullmatch(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", text):
        raise BrokenError
    value = Decimal(text.strip())
    if not (-bound <= value < bound) or (precision != 10 and value == -bound):
        raise BrokenError
    if value != round(value, scale):
        raise BrokenError
    return value


def _moment(text: str, *, dashes_only: bool = False) -> datetime:
    forms = r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?)?" + ("" if dashes_only else r"|\d{8}")
    if not re.fullmatch(forms, text):
        raise BrokenError
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BrokenError from None


def judge(rows: Sequence[dict[str, Any]]) -> tuple[dict[tuple[str, int], tuple[Any, ...]], int]:
    """Return the expected orders by key, and the number of rejected rows."""
    expected: dict[tuple[str, int], tuple[Any, ...]] = {}
    broken = 0
    for row in rows:
        try:
            values = tuple(expect(column, landed(row[column.name])) for column in OPEN_ORDERS.columns)
        except BrokenError:
            broken += 1
            continue
        if values[:2] in expected:
            broken += 1
        else:
            expected[values[:2]] = values
    return expected, broken

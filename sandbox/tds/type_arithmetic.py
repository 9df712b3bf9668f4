"""Which type SQL Server gives to what two types are combined into.

Rules: Microsoft's "Data type precedence" and "Precision, scale, and length (Transact-SQL)".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce

from sandbox.tds.types import DECIMALS, MAX, NARROW_TEXT, WIDE_TEXT, SqlType

_INTEGERS = ("bit", "tinyint", "smallint", "int", "bigint")
_INTEGER_DIGITS = {"bit": 1, "tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_MONEY_DIGITS = {"smallmoney": 10, "money": 19}
_FLOATS = {"real", "float"}
_LARGEST_PRECISION = 38
_KEPT_SCALE = 6
_LONGEST = {True: 4000, False: 8000}

INT = SqlType("int")
BIGINT = SqlType("bigint")


def make_decimal(precision: int, scale: int) -> SqlType:
    """Return a decimal; beyond 38 digits the scale gives way, but not below 6, as in arithmetic."""
    if precision > _LARGEST_PRECISION:
        integer_digits = precision - scale
        scale = max(_LARGEST_PRECISION - integer_digits, min(scale, _KEPT_SCALE))
        precision = _LARGEST_PRECISION
    return SqlType("decimal", precision=precision, scale=scale)


def combine(types: Iterable[SqlType | None]) -> SqlType | None:
    """Return the type of CASE, COALESCE or a UNION column over these types; None when it is not known."""
    first, *others = list(types) or [None]
    return reduce(_combine_two, others, first)


def add(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """Return the type of left + right or left - right."""
    if left is not None and right is not None and _is_short_text(left) and _is_short_text(right):
        return _text(left, right, lambda a, b: a + b)

    def grow(p1: int, s1: int, p2: int, s2: int) -> SqlType:
        scale = max(s1, s2)
        return make_decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)

    return _calculate(left, right, grow)


def multiply(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """Return the type of left * right."""
    return _calculate(left, right, lambda p1, s1, p2, s2: make_decimal(p1 + p2 + 1, s1 + s2))


def divide(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """Return the type of left / right."""

    def shrink(p1: int, s1: int, p2: int, s2: int) -> SqlType:
        scale = max(_KEPT_SCALE, s1 + p2 + 1)
        return make_decimal(p1 - s1 + s2 + scale, scale)

    return _calculate(left, right, shrink)


def vary(text: SqlType | None) -> SqlType | None:
    """Return the type of a part of a text: one without padding."""
    if text is None or text.name in {"varchar", "nvarchar"}:
        return text
    if _is_short_text(text):
        return replace(text, name="nvarchar" if text.name in WIDE_TEXT else "varchar")
    return None


def total(summed: SqlType | None) -> SqlType | None:
    """Return the type of SUM."""
    if summed is None or summed.name in _FLOATS:
        return summed and SqlType("float")
    if summed.name in DECIMALS:
        return make_decimal(_LARGEST_PRECISION, summed.scale or 0)
    if summed.name in _MONEY_DIGITS:
        return SqlType("money")
    if summed.name == "bigint":
        return summed
    return INT if summed.name in _INTEGERS else None


def average(averaged: SqlType | None) -> SqlType | None:
    """Return the type of AVG."""
    summed = total(averaged)
    if summed is not None and summed.name in DECIMALS:
        return make_decimal(_LARGEST_PRECISION, max(summed.scale or 0, _KEPT_SCALE))
    return summed


def _calculate(
    left: SqlType | None, right: SqlType | None, decimals: Callable[[int, int, int, int], SqlType]
) -> SqlType | None:
    if left is None or right is None:
        return None
    names = {left.name, right.name}
    numbers = {*_INTEGERS, *_MONEY_DIGITS, *DECIMALS, *_FLOATS}
    if not names <= numbers:
        return None
    if names & _FLOATS:
        return SqlType("real") if names == {"real"} else SqlType("float")
    if names & set(DECIMALS):
        return decimals(*_digits(left), *_digits(right))
    if names & set(_MONEY_DIGITS):
        return SqlType("smallmoney") if names == {"smallmoney"} else SqlType("money")
    return SqlType(max(names, key=_INTEGERS.index))


def _combine_two(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    if left is None or right is None or left == right:
        return left if left == right else None
    if _is_short_text(left) and _is_short_text(right):
        return _text(left, right, max)
    if left.name == right.name == "datetime2":
        return SqlType("datetime2", scale=max(left.scale or 0, right.scale or 0))

    def cover(p1: int, s1: int, p2: int, s2: int) -> SqlType:
        scale = max(s1, s2)
        return make_decimal(max(p1 - s1, p2 - s2) + scale, scale)

    return _calculate(left, right, cover)


def _digits(sql_type: SqlType) -> tuple[int, int]:
    if sql_type.precision is not None:
        return sql_type.precision, sql_type.scale or 0
    if sql_type.name in _MONEY_DIGITS:
        return _MONEY_DIGITS[sql_type.name], 4
    return _INTEGER_DIGITS[sql_type.name], 0


def _is_short_text(sql_type: SqlType) -> bool:
    return sql_type.name in NARROW_TEXT or sql_type.name in WIDE_TEXT


def _text(left: SqlType, right: SqlType, length: Callable[[int, int], int]) -> SqlType:
    wide = left.name in WIDE_TEXT or right.name in WIDE_TEXT
    lengths = (left.length or 1, right.length or 1)
    longest = MAX if MAX in lengths else length(*lengths)
    if longest > _LONGEST[wide]:
        longest = MAX  # SQL Server would cut here
    same_char = left.name == right.name and left.name in {"char", "nchar"} and left.length == right.length == longest
    name = left.name if same_char else "nvarchar" if wide else "varchar"
    return SqlType(name, length=longest, collation=left.collation)

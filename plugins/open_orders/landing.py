"""How a value of the source becomes text in the landing table, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID

from open_orders.column_types import FIRST_MOMENT, name_type
from open_orders.contract import Column, Date, Integer, Numeric, Text
from open_orders.key_order import Key

if TYPE_CHECKING:
    from psycopg import Copy

_NUL, _SHOWN_NUL = "\x00", "\N{SYMBOL FOR NULL}"
# What a program puts in place of a character that it could not read; which one it was, nobody knows any more.
REPLACED = "\N{REPLACEMENT CHARACTER}"
_SHOWN_CHARACTERS = 60
# Values of these types that differ land as keys that differ.
_TOLD_APART: dict[type, type] = {Text: str, Integer: int, Numeric: Decimal, Date: date}

# A row's values as text in the contract's order, and why some can't be stored as they are.
LandedRow = tuple[list[str | None], str | None]


@dataclass(frozen=True)
class Form:
    """How rows are written: columns of the landing table, in one of COPY's formats, between what begins and ends it."""

    columns: tuple[str, ...]
    format: Literal["text", "binary"] = "text"
    head: bytes = b""
    tail: bytes = b""


class Batch(Protocol):
    """Rows of the source in the contract's order, in whatever form its driver delivers them."""

    @property
    def form(self) -> Form:
        """How `write` lands them: in the contract's order each column as text or typed, and `unstorable`."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def type_of(self, position: int) -> str | None:
        """Return the name of the type of a column's values; None when all of them are NULL."""

    def latest(self, position: int) -> datetime | None:
        """Return the latest of a column's moments, `FIRST_MOMENT` when all are NULL; None when some are no moments."""

    def ascending_keys(self) -> tuple[Key, Key] | None:
        """Return the first and the last key of rows that each have a higher one than the row before.

        None when one hasn't, or when different values could become the same key.
        """

    def landed(self) -> Iterator[LandedRow]:
        """Yield the rows as texts."""

    def write(self, copy: Copy, rows_before: int) -> None:
        """Land the rows, numbered from `rows_before` + 1 on."""


class RowBatch:
    """A batch of tuples of Python values."""

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
        self._names = [column.name for column in columns]
        self._keys = [(position, column.type) for position, column in enumerate(columns) if column.key]
        self._rows = rows
        self.form = Form((*self._names, "unstorable"))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def type_of(self, position: int) -> str | None:
        """Return the name of the type of a column's values; None when all of them are NULL."""
        value = next((row[position] for row in self._rows if row[position] is not None), None)
        return None if value is None else name_type(value)

    def latest(self, position: int) -> datetime | None:
        """Return the latest of a column's moments, `FIRST_MOMENT` when all are NULL; None when some are no moments."""
        values = {row[position] for row in self._rows} - {None}
        if not all(type(value) is datetime and value.tzinfo is None for value in values):
            return None
        return max(values, default=FIRST_MOMENT)

    def ascending_keys(self) -> tuple[Key, Key] | None:
        """Return the first and the last key of rows that each have a higher one than the row before.

        None when one hasn't, or when different values could become the same key.
        """
        kinds = [_TOLD_APART.get(type(kind)) for _, kind in self._keys]
        keys = [tuple(row[position] for position, _ in self._keys) for row in self._rows]
        if any(type(value) is not kind for key in keys for value, kind in zip(key, kinds, strict=True)):
            return None
        return (keys[0], keys[-1]) if all(before < after for before, after in pairwise(keys)) else None

    def landed(self) -> Iterator[LandedRow]:
        """Yield the rows as texts."""
        for row in self._rows:
            yield to_landing(self._names, row)

    def write(self, copy: Copy, rows_before: int) -> None:
        """Land the rows, numbered from `rows_before` + 1 on."""
        for row_no, (texts, unstorable) in enumerate(self.landed(), start=rows_before + 1):
            copy.write_row((row_no, *texts, unstorable))


class InexactText(str):
    """A text that may differ from the source's, because the driver could not read all of it."""


_TEXT_OF: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: lambda value: "1" if value else "0",
    int: str,
    # repr gives the shortest text that reads back as the same float.
    float: repr,
    # 'f' keeps every digit and never an exponent.
    Decimal: lambda value: format(value, "f"),
    datetime: lambda value: value.isoformat(sep=" "),
    date: date.isoformat,
    time: time.isoformat,
    UUID: lambda value: str(value).upper(),
    bytes: lambda value: f"0x{value.hex().upper()}",
    bytearray: lambda value: f"0x{value.hex().upper()}",
}


def to_landing(names: Sequence[str], row: Sequence[Any]) -> LandedRow:
    """Return a row's values as text, and why some can't be stored as they are (None for nearly every row).

    NULL stays None and '' stays ''. A NUL character, or half of a surrogate pair, which PostgreSQL's text has no room
    for, is replaced by a visible one and named in the second element, so that the row is rejected and not lost. So is
    a text that the driver could not read exactly.
    """
    texts: list[str | None] = []
    unstorable: list[str] = []
    for name, value in zip(names, row, strict=True):
        if value is None:
            texts.append(None)
            continue
        text = value if type(value) is str else _to_text(value)
        if _NUL in text or not (text.isascii() or _is_exact(text)) or type(value) is InexactText:
            offences = _offences(value, text)
            text = _make_storable(text)
            unstorable.append(f"{name} {_shown(text)} {' and '.join(offences)}")
        texts.append(text)
    return texts, "; ".join(unstorable) or None


def _to_text(value: Any) -> str:
    convert = _TEXT_OF.get(type(value))
    return convert(value) if convert is not None else str(value)


def _is_exact(text: str) -> bool:
    return REPLACED not in text and _is_unicode(text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(text: str) -> str:
    return f"'{text[:_SHOWN_CHARACTERS]}{'…' if len(text) > _SHOWN_CHARACTERS else ''}'"


def _offences(value: Any, text: str) -> list[str]:
    offences = []
    if isinstance(value, InexactText):
        offences.append("has, or ended in, characters that the driver can't convert (shown as ? or left out)")
    if _NUL in text:
        offences.append(f"contains a NUL character (shown as {_SHOWN_NUL})")
    if REPLACED in text:
        offences.append(f"contains {REPLACED} (U+FFFD), which stands for a character that could not be converted")
    if not _is_unicode(text):
        offences.append("contains half of a surrogate pair (shown as \N{REPLACEMENT CHARACTER})")
    return offences


def _make_storable(text: str) -> str:
    text = text.replace(_NUL, _SHOWN_NUL)
    return text if _is_unicode(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

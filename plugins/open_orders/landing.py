"""How a value of the source becomes text in the landing table, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

_NUL, _SHOWN_NUL = "\x00", "\N{SYMBOL FOR NULL}"
_SHOWN_CHARACTERS = 60


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


def to_landing(names: Sequence[str], row: Sequence[Any]) -> tuple[list[str | None], str | None]:
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
        if _NUL in text or not (text.isascii() or _is_unicode(text)) or type(value) is InexactText:
            offences = _offences(value, text)
            text = _make_storable(text)
            unstorable.append(f"{name} {_shown(text)} {' and '.join(offences)}")
        texts.append(text)
    return texts, "; ".join(unstorable) or None


def _to_text(value: Any) -> str:
    convert = _TEXT_OF.get(type(value))
    return convert(value) if convert is not None else str(value)


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
    if not _is_unicode(text):
        offences.append("contains half of a surrogate pair (shown as \N{REPLACEMENT CHARACTER})")
    return offences


def _make_storable(text: str) -> str:
    text = text.replace(_NUL, _SHOWN_NUL)
    return text if _is_unicode(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

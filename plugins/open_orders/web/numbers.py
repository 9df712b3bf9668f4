"""Numbers, durations and text as a page shows them."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from decimal import Decimal

NOTHING = "–"


def number(value: int | None) -> str:
    """Return a count with separators, `10,231`; a dash for none."""
    return NOTHING if value is None else f"{value:,}"


def amount(value: Decimal | None) -> str:
    """Return money with at least two decimal places, more only where they are not zero; a dash for none."""
    if value is None:
        return NOTHING
    whole, _, fraction = f"{value:,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def quantity(value: Decimal | None) -> str:
    """Return a quantity without trailing zeros, `12.5`; a dash for none."""
    if value is None:
        return NOTHING
    whole, _, fraction = f"{value:,f}".partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def duration(value: timedelta | float | None) -> str:
    """Return how long something took, from seconds: `4.2 s`, `1 min 05 s`, `2 h 03 min`; a dash for none."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 59.95:
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def ago(seconds: float) -> str:
    """Return how long ago something was, as base.js does: `just now`, `12 s ago`, `3 min ago`, `2 h ago`, `3 d ago`."""
    if seconds < 0:
        return f"in {_span(-seconds)}"
    return "just now" if seconds < 5 else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} d"


# Marks that would reorder or hide the text around them.
_INVISIBLE = frozenset(
    "\u200b\u200e\u200f\u061c\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)


def visible(value: object) -> str:
    """Return stored text with control characters, ANSI escapes and direction marks as visible symbols.

    A tab and a line break stay. An escape becomes `␛`, a right-to-left override `⟨U+202E⟩`.
    """
    text = str(value)
    # Nearly every text is: what Python calls printable holds none of these marks.
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\t\n":
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if character in _INVISIBLE or unicodedata.category(character) in ("Cc", "Cs"):
        return f"⟨U+{code:04X}⟩"
    return character

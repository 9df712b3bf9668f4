"""INSERT … VALUES of nothing but literals, the statement that fills tables, without parsing every value.

A thousand rows take sqlglot a second. Literals mean nearly the same to PostgreSQL, so one pass over the text does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:\w+|\[[^\]]+\])"
_LITERAL = r"(?:[Nn]?'[^']*+(?:''[^']*+)*+'|[+-]?\d++(?:\.\d*+)?+|NULL|0x[0-9a-fA-F]*+)"
_TUPLE = rf"\(\s*+{_LITERAL}\s*+(?:,\s*+{_LITERAL}\s*+)*+\)"
_INSERT = re.compile(
    rf"\s*+INSERT\s++(?:INTO\s++)?(?P<table>{_NAME}(?:\.{_NAME}){{0,2}})\s*+"
    rf"(?:\((?P<columns>\s*{_NAME}\s*(?:,\s*{_NAME}\s*)*)\)\s*+)?VALUES\s*+"
    rf"(?P<values>{_TUPLE}\s*+(?:,\s*+{_TUPLE}\s*+)*+);?\s*+",
    re.IGNORECASE,
)
_TEXT_OR_BINARY = re.compile(r"[Nn]?('[^']*+(?:''[^']*+)*+')|0x([0-9a-fA-F]*+)")


@dataclass(frozen=True, slots=True)
class LiteralInsert:
    """The statement for PostgreSQL: the table as (schema, name), columns and both in lower case, the VALUES list."""

    table: tuple[str, str]
    columns: list[str]
    values: str


def read_literal_insert(batch: str) -> LiteralInsert | None:
    """Return the insert when the batch is one of literals only, else None."""
    match = _INSERT.fullmatch(batch)
    if match is None:
        return None
    *qualifiers, table = (part.strip("[]").lower() for part in re.findall(_NAME, match["table"]))
    return LiteralInsert(
        table=(qualifiers[-1] if qualifiers else "dbo", table),
        columns=[column.strip("[]").lower() for column in re.findall(_NAME, match["columns"] or "")],
        values=_TEXT_OR_BINARY.sub(_spell_literal, match["values"]),
    )


def _spell_literal(match: re.Match[str]) -> str:
    # PostgreSQL reads N'x ' as a padded char and drops the space.
    return match[1] if match[1] is not None else f"'\\x{match[2]}'"

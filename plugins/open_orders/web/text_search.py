"""Looking for a part of a text."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, func

ESCAPE = "/"


def contains(column: SQLColumnExpression[Any], text: str) -> ColumnElement[bool]:
    """Return the condition that a column contains a text, ignoring case; nothing in the text has a special meaning."""
    for sign in (ESCAPE, "%", "_"):
        text = text.replace(sign, ESCAPE + sign)
    # ILIKE, which means the same, takes half as long again.
    return func.lower(column).like(func.lower(f"%{text}%"), escape=ESCAPE)

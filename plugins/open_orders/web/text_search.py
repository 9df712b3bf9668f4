"""Looking for a part of a text, in the same way whatever language the database is set to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, Text, and_, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

ESCAPE = "/"
# In Turkish the small letter of I is ı, and the capital one of i is İ.
_I = frozenset("iIıİ")


class _Lowered(FunctionElement[str]):
    """A text in small letters."""

    type = Text()
    name = "lowered"
    inherit_cache = True


@compiles(_Lowered, "postgresql")
def _lower(element: _Lowered, compiler: SQLCompiler, **options: Any) -> str:
    """Return `lower`, by Unicode's rules from PostgreSQL 17 on: those of a language take twice as long."""
    column = compiler.process(element.clauses, **options)
    has_unicode = (compiler.dialect.server_version_info or (0,)) >= (17,)
    return f"lower({column} COLLATE pg_c_utf8)" if has_unicode else f"lower({column})"


def contains(column: SQLColumnExpression[Any], text: str) -> ColumnElement[bool]:
    """Return the condition that a column contains a text; nothing in the text has a special meaning.

    Case is ignored, and whether an i has its dot: `ITEM` and `Işık` are found as `item` and as `ışık` or `IŞIK`.
    """
    for sign in (ESCAPE, "%", "_"):
        text = text.replace(sign, ESCAPE + sign)
    # ILIKE, which means the same, takes half as long again.
    found = _Lowered(column)
    if _I.isdisjoint(text):
        return found.like(_Lowered(f"%{text}%"), escape=ESCAPE)
    # First with any sign in place of an i: to replace it in each text takes half as long again too.
    loosely = "".join("_" if sign in _I else sign for sign in text)
    wanted = func.replace(_Lowered(f"%{text}%"), "ı", "i")
    return and_(
        found.like(_Lowered(f"%{loosely}%"), escape=ESCAPE),
        func.replace(found, "ı", "i").like(wanted, escape=ESCAPE),
    )

"""PostgreSQL's errors under SQL Server's numbers."""

from __future__ import annotations

import re

import psycopg

from sandbox.tds.engine import EngineError, make_error

_QUOTED = re.compile(r'"([^"]+)"')
# SQLSTATE: (number, severity, text; {name} is the first quoted name, {text} all of PostgreSQL's message)
_NUMBERS = {
    "42P01": (208, 16, "Invalid object name '{name}'."),
    "42703": (207, 16, "Invalid column name '{name}'."),
    "42702": (209, 16, "Ambiguous column name '{name}'."),
    "42601": (102, 15, "Incorrect syntax, as the stand-in reads it: {text}"),
    "42883": (195, 15, "The stand-in does not know this function or operator: {text}"),
    "42P07": (2714, 16, "There is already an object named '{name}' in the database."),
    "3F000": (2760, 16, "The specified schema name '{name}' either does not exist or you cannot use it."),
    "22012": (8134, 16, "Divide by zero error encountered."),
    "22003": (8115, 16, "Arithmetic overflow error: {text}"),
    "22001": (2628, 16, "String or binary data would be truncated: {text}"),
    "22P02": (8114, 16, "Error converting data type: {text}"),
    "22007": (241, 16, "Conversion failed when converting date and/or time from character string: {text}"),
    "22008": (242, 16, "The conversion of a date or time resulted in an out-of-range value: {text}"),
    "23502": (515, 16, "Cannot insert the value NULL into column '{name}'."),
    "23505": (2627, 14, "Violation of PRIMARY KEY or UNIQUE constraint '{name}'. Cannot insert duplicate key. {text}"),
    "23503": (547, 16, "The statement conflicted with the FOREIGN KEY constraint: {text}"),
    "23514": (547, 16, "The statement conflicted with the CHECK constraint: {text}"),
    "40P01": (1205, 13, "Transaction was deadlocked on lock resources with another process and has been chosen as the"
              " deadlock victim. Rerun the transaction."),
    "55P03": (1222, 16, "Lock request time out period exceeded."),
    "57014": (3617, 16, "The statement was cancelled."),
}  # fmt: skip


def translate_error(error: psycopg.Error, line: int = 1) -> EngineError:
    """Return the error a SQL Server client knows; 50000 with PostgreSQL's text when there is no evident one."""
    text = (error.diag.message_primary or str(error)).strip()
    known = _NUMBERS.get(error.sqlstate or "")
    if known is None:
        return make_error(50000, f"The PostgreSQL behind the stand-in: {text}", line=line)
    number, severity, template = known
    names = _QUOTED.findall(text)
    return make_error(number, template.format(name=names[0] if names else "?", text=text), severity, line=line)


def is_cancelled(error: psycopg.Error) -> bool:
    """Whether the statement ended because it was cancelled."""
    return isinstance(error, psycopg.errors.QueryCanceled)

"""Notice texts that the driver could not read exactly.

What FreeTDS can't convert (half of a surrogate pair, a byte that the column's code page lacks) it replaces by '?' or,
at the end of a text, drops; it says so with a severity below those that pymssql raises. Raised, it would cost all the
rows; unnoticed, a text would be published that is nobody's. So it is noticed, and the row rejected with its reason.
"""

from __future__ import annotations

from typing import Any

from pymssql import _mssql

from open_orders.landing import InexactText

# EXCONVERSION of sybdb.h; pymssql's own default is the one above.
_CONVERSION, _RAISED = 4, 6


class _Losses(int):
    """The least severity that pymssql looks at; when it asks whether to raise one, conversions are noted instead.

    pymssql reads it as a number where it takes messages in, and compares with it where it raises.
    """

    noticed = False

    def __gt__(self, severity: int) -> bool:
        if severity == _CONVERSION:
            self.noticed = True
        return severity < _RAISED


losses = _Losses(_CONVERSION)


def notice_losses() -> None:
    """Have `losses.noticed` set whenever the driver loses characters."""
    _mssql.min_error_severity = losses
    losses.noticed = False


def mark_losses(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the row that was just read, with the texts marked that may have lost characters, and forget the notice.

    The driver doesn't say which: those with a '?', or all of them when there is none.
    """
    losses.noticed = False
    suspects = [isinstance(value, str) and "?" in value for value in row]
    if not any(suspects):
        suspects = [isinstance(value, str) for value in row]
    return tuple(InexactText(value) if suspect else value for value, suspect in zip(row, suspects, strict=True))

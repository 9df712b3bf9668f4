"""What types a source's columns have, as the driver's values tell.

pymssql's own description of a result knows five kinds, in which a date is the same as `varbinary` and `int` the same as
`float`; the Python types of its values tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

Rows = list[tuple[Any, ...]]
# A bool is an int too, and a datetime a date: the narrower type comes first.
_NAMES: tuple[tuple[type, str], ...] = (
    (str, "text"),
    (bool, "bit"),
    (int, "integer"),
    (Decimal, "decimal"),
    (float, "float"),
    (datetime, "date and time"),
    (date, "date"),
    (time, "time"),
    (UUID, "uniqueidentifier"),
    (bytes, "binary"),
    (bytearray, "binary"),
)


class ColumnTypes:
    """Learns from rows on their way what type each column has; `found` lacks those that held nothing but NULL."""

    def __init__(self, names: Sequence[str]) -> None:
        self.found: dict[str, str] = {}
        self._unknown = dict(enumerate(names))

    def learn(self, batches: Iterable[Rows]) -> Iterator[Rows]:
        """Yield the batches as they are."""
        for rows in batches:
            for position, name in list(self._unknown.items()):
                value = next((row[position] for row in rows if row[position] is not None), None)
                if value is not None:
                    self.found[name] = _name_type(value)
                    del self._unknown[position]
            yield rows


def _name_type(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return "date and time with offset"
    return next((name for kind, name in _NAMES if isinstance(value, kind)), type(value).__name__)

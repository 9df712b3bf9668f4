"""What types a source's columns have, as the driver's values tell.

pymssql's own description of a result knows five kinds, in which a date is the same as `varbinary` and `int` the same as
`float`; the Python types of its values tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from open_orders.landing import Batch

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

    def learn(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches as they are."""
        for batch in batches:
            for position, name in list(self._unknown.items()):
                found = batch.type_of(position)
                if found is not None:
                    self.found[name] = found
                    del self._unknown[position]
            yield batch


def name_type(value: Any) -> str:
    """Return the name of the type of a driver's value."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return "date and time with offset"
    return next((name for kind, name in _NAMES if isinstance(value, kind)), type(value).__name__)

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

# What is the latest of no moments.
FIRST_MOMENT = datetime(1, 1, 1)  # noqa: DTZ001 - the ERP's times have no zone
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
    """Learns from rows on their way what type each column has; `found` lacks those that held nothing but NULL.

    `latest` is the latest moment in the column `last_change`; None when its values, or some of them, are no moments.
    """

    def __init__(self, names: Sequence[str], last_change: str | None = None) -> None:
        self.found: dict[str, str] = {}
        self.latest: datetime | None = None if last_change is None else FIRST_MOMENT
        self._unknown = dict(enumerate(names))
        self._last_change = 0 if last_change is None else names.index(last_change)

    def learn(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches as they are."""
        for batch in batches:
            for position, name in list(self._unknown.items()):
                found = batch.type_of(position)
                if found is not None:
                    self.found[name] = found
                    del self._unknown[position]
            if self.latest is not None:
                latest = batch.latest(self._last_change)
                self.latest = None if latest is None else max(latest, self.latest)
            yield batch


def name_type(value: Any) -> str:
    """Return the name of the type of a driver's value."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return "date and time with offset"
    return next((name for kind, name in _NAMES if isinstance(value, kind)), type(value).__name__)

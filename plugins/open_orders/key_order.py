"""Whether a fetch comes in the order of its keys, as a table with a clustered key does: then none comes twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from open_orders.landing import Batch

Key = tuple[Any, ...]


class KeyOrder:
    """Learns from rows on their way; `is_kept` is False from the first row on whose key is not known to be higher."""

    def __init__(self) -> None:
        self.is_kept = True
        self._last: Key | None = None

    def learn(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches as they are."""
        for batch in batches:
            if self.is_kept and len(batch):
                keys = batch.ascending_keys()
                self.is_kept = keys is not None and (self._last is None or self._last < keys[0])
                self._last = keys and keys[1]
            yield batch

"""Totals and choices of a snapshot, computed once for each.

The open orders change only in the transaction in which a sync succeeds, so what was counted under one published sync
stays right until the next one. At a million lines a count takes a second; a page that is reloaded must not pay for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import date
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from open_orders.web.freshness import Freshness
from open_orders.web.open_order_filter import OrderFilter
from open_orders.web.open_order_queries import Choices, Totals, read_choices, read_totals

T = TypeVar("T")


class SnapshotMemory:
    """The results of the last `size` questions about snapshots."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def recall(self, key: Hashable, ask: Callable[[], T]) -> T:
        """Return the result for a key, asking for it the first time."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                known: T = self._results[key]
                return known
        result = ask()
        with self._lock:
            self._results[key] = result
            while len(self._results) > self._size:
                self._results.popitem(last=False)
        return result


_memory = SnapshotMemory(size=64)


def summarise(session: Session, freshness: Freshness, chosen: OrderFilter) -> Totals:
    """Return the totals of what a filter keeps of the published snapshot."""
    published_id = freshness.published_id
    return _recall(freshness, ("totals", chosen, chosen.today), lambda: read_totals(session, chosen, published_id))


def list_choices(session: Session, freshness: Freshness, today: date) -> Choices:
    """Return the values to filter the published snapshot by."""
    return _recall(freshness, ("choices", today), lambda: read_choices(session, today))


def _recall(freshness: Freshness, question: Hashable, ask: Callable[[], T]) -> T:
    published = freshness.published
    if published is None:
        return ask()
    # The times too: after Airflow's connection was pointed at another database, its ids may be the same.
    return _memory.recall((published.id, published.started_at, published.completed_at, question), ask)

"""Answers about a snapshot of the open orders, each worked out once, and beside the requests where that may take long.

The open orders change only in the transaction in which a sync succeeds, so what was found under one published sync
stays right until the next one. With a million lines a search or a count takes half a second, and no index helps: one
for each column would cost a publish seven times its time. So a page waits for its rows for WAIT_S, does without what is
not there by then, says so, and finds it when it asks again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from open_orders.web.database import POOLS, read
from open_orders.web.freshness import Freshness, Sync, read_published

T = TypeVar("T")
# Of so few lines anything is found while the request waits.
FEW_LINES = 20_000
WAIT_S = 0.02
KEPT_ANSWERS = 128


class SnapshotReplacedError(Exception):
    """A newer sync has published since the question was asked."""


@dataclass(frozen=True)
class Snapshot:
    """What the open orders are as of.

    The times too: after Airflow's connection was pointed at another database, its ids may be the same.
    """

    job_log_id: int
    times: tuple[Any, Any]

    @classmethod
    def of(cls, published: Sync) -> Snapshot:
        """Return the snapshot that a sync published."""
        return cls(published.id, (published.started_at, published.completed_at))


class SnapshotMemory:
    """The last `size` answers; those that are being worked out, by so many threads at a time, are among them."""

    def __init__(self, size: int, threads: int) -> None:
        self._size = size
        self._answers: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._lock = Lock()
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="open-orders-snapshot")

    def recall(self, key: Hashable, ask: Callable[[], T]) -> T:
        """Return an answer, working it out here where nobody has asked before."""
        with self._lock:
            known = self._find(key)
        if known is not None:
            answer: T = known.result()
            return answer
        made: Future[T] = Future()
        made.set_result(ask())
        with self._lock:
            self._keep(key, made)
        return made.result()

    def start(self, key: Hashable, ask: Callable[[], T]) -> Future[T]:
        """Return an answer that is, or will be, worked out by one of the threads, once however many ask."""
        with self._lock:
            known = self._find(key)
            if known is None:
                known = self._workers.submit(ask)
                self._keep(key, known)
        return known

    def forget(self, key: Hashable) -> None:
        """Have the next one who asks work it out anew."""
        with self._lock:
            self._answers.pop(key, None)

    def _find(self, key: Hashable) -> Future[Any] | None:
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def _keep(self, key: Hashable, answer: Future[Any]) -> None:
        self._answers[key] = answer
        while len(self._answers) > self._size:
            _, oldest = self._answers.popitem(last=False)
            oldest.cancel()


_memory = SnapshotMemory(KEPT_ANSWERS, threads=POOLS["snapshots"][1])


@dataclass(frozen=True)
class Answer(Generic[T]):
    """An answer that somebody waits for."""

    key: Hashable
    future: Future[T]
    deadline: float | None

    def take(self) -> T | None:
        """Return it, or None when it is not there by the deadline; raises what its reading raised."""
        return self._wait(None if self.deadline is None else max(0.0, self.deadline - time.monotonic()))

    def look(self) -> T | None:
        """Return it, or None when it is not there yet; raises what its reading raised."""
        return self._wait(0)

    def _wait(self, wait_s: float | None) -> T | None:
        try:
            return self.future.result(wait_s)
        except TimeoutError:
            return None
        except (CancelledError, SnapshotReplacedError):
            # The next request asks about the snapshot of then.
            _memory.forget(self.key)
            return None
        except Exception:
            # Told once: whoever asks again may have more luck.
            _memory.forget(self.key)
            raise


class Questions:
    """What one request asks about the published snapshot.

    Args:
        session: the request's; what is found at once is read with it.
        freshness: as the session sees it.
        patience_s: how long answers are waited for, together; None: until they are there.
    """

    def __init__(self, session: Session, freshness: Freshness, patience_s: float | None = WAIT_S) -> None:
        self._session = session
        self._published = freshness.published
        self._deadline = None if patience_s is None else time.monotonic() + patience_s

    @property
    def is_quick(self) -> bool:
        """Whether every answer is found while the request waits."""
        return self._published is None or (self._published.total_after or 0) <= FEW_LINES

    def ask(self, question: Hashable, reading: Callable[[Session], T]) -> Answer[T]:
        """Return the answer to a question; equal ones about the same snapshot have the same answer."""
        if self._published is None:
            return self.read(reading)
        snapshot = Snapshot.of(self._published)
        key = (snapshot, question)
        if self.is_quick:
            return _done(_memory.recall(key, lambda: reading(self._session)))
        return Answer(key, _memory.start(key, lambda: _read_beside(snapshot, reading)), self._deadline)

    def read(self, reading: Callable[[Session], T]) -> Answer[T]:
        """Return an answer that is read at once and not remembered."""
        return _done(reading(self._session))


def _done(answer: T) -> Answer[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return Answer(None, future, None)


def _read_beside(snapshot: Snapshot, reading: Callable[[Session], T]) -> T:
    with read("snapshots") as session:
        published = read_published(session)
        if published is None or Snapshot.of(published) != snapshot:
            raise SnapshotReplacedError
        return reading(session)

"""Import the landed batches over two sessions at a time: PostgreSQL works for each with a processor of its own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from queue import SimpleQueue
from threading import Lock, Thread

import psycopg

from open_orders.guards import check_batch
from open_orders.job_log_hook import Connection, JobLogHook
from open_orders.job_log_store import Counts
from open_orders.target import Batch, Target

SESSIONS = 2
# How long a session that was told to stop has until its line is cut, and then once more.
_STOP_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.1

# Rows imported and rejected.
Done = tuple[int, int]
_Tasks = SimpleQueue[tuple[Batch, Future[Done]] | None]


@contextmanager
def import_side_by_side(
    log: JobLogHook, target: Target, session_name: str, batches: Sequence[Batch], before: Done
) -> Iterator[Iterator[tuple[Batch, Done]]]:
    """Yield an iterator over the batches, in order, each once it is committed; `before` is what was imported before.

    Each is a transaction of its own, which ends with the log's fence and the counts so far. When one fails, or the
    block ends early, what is at work is stopped and undone.
    """
    tasks: _Tasks = SimpleQueue()
    results = [(batch, Future[Done]()) for batch in batches]
    for task in results:
        tasks.put(task)
    counts = _RunningCounts(log, before)
    with ExitStack() as stack:
        targets = [target]
        while len(targets) < min(SESSIONS, len(batches)):
            connection = stack.enter_context(log.connect(session_name))
            targets.append(Target(connection, target.contract, log.job_log_id))
        threads = [Thread(target=_work, args=(each, tasks, counts), daemon=True) for each in targets]
        try:
            for thread in threads:
                tasks.put(None)
                thread.start()
            yield ((batch, result.result()) for batch, result in results)
        finally:
            for _, result in results:
                result.cancel()
            _stop([(each.connection, thread) for each, thread in zip(targets, threads, strict=True)])


class _RunningCounts:
    """What was imported and rejected so far, for the job log."""

    def __init__(self, log: JobLogHook, before: Done) -> None:
        self._log = log
        self._imported, self._rejected = before
        self._lock = Lock()

    def add(self, connection: Connection, done: Done) -> None:
        """Write the counts with those of one more batch, as the last of its transaction: the others wait for that."""
        with self._lock:
            self._imported += done[0]
            self._rejected += done[1]
            self._log.advance(connection, Counts(imported=self._imported, rejected=self._rejected))


def _work(target: Target, tasks: _Tasks, counts: _RunningCounts) -> None:
    """Import batch by batch until there is None."""
    while (task := tasks.get()) is not None:
        batch, result = task
        if not result.set_running_or_notify_cancel():
            continue
        try:
            with target.connection.transaction():
                done = target.import_batch(batch)
                check_batch(batch, *done)
                counts.add(target.connection, done)
        except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
            result.set_exception(error)
        else:
            result.set_result(done)


def _stop(sessions: Sequence[tuple[Connection, Thread]]) -> None:
    """Wait for the threads, having ended what they are at: a connection that is closed under one harms the next."""
    began = time.monotonic()
    while at_work := [session for session in sessions if _is_at_work(session[1])]:
        waited_s = time.monotonic() - began
        if waited_s > 2 * _STOP_WITHIN_S:
            return
        for connection, _ in at_work:
            with suppress(psycopg.Error, OSError):
                if waited_s < _STOP_WITHIN_S:
                    # Again and again: it has no effect just before a statement begins.
                    connection.cancel_safe(timeout=_STOP_WITHIN_S)
                else:
                    _hang_up(connection)


def _is_at_work(thread: Thread) -> bool:
    """Return whether a thread is still at work after a moment."""
    thread.join(_LOOK_EVERY_S)
    return thread.is_alive()


def _hang_up(connection: Connection) -> None:
    """End the line to the server under a connection, whose thread then finds it broken."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)

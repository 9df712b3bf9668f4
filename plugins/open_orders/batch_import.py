"""Import the landed batches over two sessions at a time: PostgreSQL works for each with a processor of its own."""

from __future__ import annotations

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
# How long the end of a step waits for a session that it told to stop.
_STOP_WITHIN_S = 5.0

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
            for each, thread in zip(targets, threads, strict=True):
                _stop(each.connection, thread)


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


def _stop(connection: Connection, thread: Thread) -> None:
    """End a thread's statement, if it is at one, and wait for the thread."""
    if thread.is_alive():
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=_STOP_WITHIN_S)
        thread.join(_STOP_WITHIN_S)

"""Heartbeats of a step at work, from a thread, so that a long statement or a stalled source doesn't look like death."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

import psycopg

from open_orders.errors import JobLogClosedError
from open_orders.masking import redact

if TYPE_CHECKING:
    from open_orders.job_log_hook import JobLogHook

log = logging.getLogger(__name__)


@contextmanager
def beat_while_working(hook: JobLogHook, interval_s: float) -> Iterator[None]:
    """Write a heartbeat every `interval_s` seconds over a connection of its own, until the block ends."""
    done = Event()
    thread = Thread(target=_beat, args=(hook, interval_s, done), name="job log heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=interval_s)


def _beat(hook: JobLogHook, interval_s: float, done: Event) -> None:
    """Beat until done. A connection is opened only when the first beat is due: most steps end before."""
    connection = None
    while not done.wait(interval_s):
        try:
            if connection is None or connection.closed:
                connection = hook.connect("open_orders heartbeat")
            hook.advance(connection)
        except JobLogClosedError as error:
            log.warning("%s", error)
            break
        except psycopg.Error as error:
            # The step meets the same database and reports it; the next beat tries again.
            log.warning("Heartbeat not written: %s", redact(str(error)))
    if connection is not None:
        connection.close()

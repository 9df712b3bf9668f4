"""Limits on the driver that it doesn't have itself.

FreeTDS limits each wait for the server but not their sum, has no limit between the login and the first query, keeps
what it reads in memory without limit, and runs in circles when a connection breaks at the wrong byte. Airflow's
execution_timeout can't help: it is a signal, which Python handles only once the C code returns. But the driver lets
other threads run meanwhile. So one of ours looks on, and ends the driver's connection, which makes its call fail; if
not even that helps, there is nothing left but to end the process.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from open_orders.source_connection import SourceAddress

log = logging.getLogger(__name__)

# The driver's own timeout, of the same length, comes first where it works.
LOGIN_GRACE_S = 1.0
# So that the step ends for a reason of the source's, and itself, before Airflow ends it.
SHARE_OF_TIME_LIMIT = 0.9
STUCK_AFTER_S = 5.0
# What the driver may take in, in bytes of memory, before it delivers the next row.
MEMORY_BETWEEN_ROWS = 512 * 1024 * 1024
_LOOK_EVERY_S = 0.1
_STATM = Path("/proc/self/statm")


class SourceWatch:
    """Looks at a driver at work: for how long, how many rows came, and how much memory it takes.

    Once a limit is passed, `ended_because` says so in a sentence. `count_rows` tells how many rows came so far, and
    `portion` what the driver gathers before that number grows.
    """

    def __init__(self, address: SourceAddress, time_limit_s: float | None, give_up: Callable[[str], None]) -> None:
        self.ended_because: str | None = None
        self.count_rows: Callable[[], int] = lambda: 0
        self.portion = "a row"
        self._address = address
        self._give_up = give_up
        self._limits: list[tuple[float, str]] = []
        if time_limit_s is not None:
            limit_s = SHARE_OF_TIME_LIMIT * time_limit_s
            text = f"took longer than {limit_s:g} s to answer in full; the step's time limit is {time_limit_s:g} s"
            self._limits.append((time.monotonic() + limit_s, text))
        self._before = set(_sockets())
        self._ended_at = 0.0
        self._busy_since: float | None = None
        self._memory: tuple[int, int] | None = None

    @contextmanager
    def working(self, login_timeout_s: float | None = None) -> Iterator[None]:
        """Mark a block in which the driver is at work, from login on if there is a limit for that."""
        limits = self._limits
        if login_timeout_s is not None:
            moment = time.monotonic() + login_timeout_s + LOGIN_GRACE_S
            self._limits = [*limits, (moment, f"took longer than {login_timeout_s:g} s to connect and log in")]
        # From the first look on: most blocks are over before.
        self._memory = None
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None
            self._limits = limits

    def look(self) -> None:
        """End the driver's connections if it is past a limit, and give up if it doesn't notice."""
        busy_since = self._busy_since
        if busy_since is None:
            return
        if self.ended_because is None:
            self.ended_because = self._reason()
            self._ended_at = time.monotonic()
        if self.ended_because is not None:
            # Each time, since the driver may open another one.
            self.hang_up()
            if time.monotonic() - max(self._ended_at, busy_since) > STUCK_AFTER_S:
                self._give_up(f"{self.ended_because}. The driver could not be stopped, so the process was")

    def _reason(self) -> str | None:
        rows = self.count_rows()
        text = next((text for moment, text in self._limits if time.monotonic() > moment), None)
        if text is None and self._outgrown(rows):
            text = f"sent more than {MEMORY_BETWEEN_ROWS // 1024 // 1024} MB without completing {self.portion}"
        if text is None:
            return None
        return f"SQL Server {self._address} {text}{f' ({rows:,} rows had come)' if rows else ''}"

    def _outgrown(self, rows: int) -> bool:
        resident = _resident_bytes()
        rows_then, resident_then = self._memory or (rows, resident)
        if self._memory is None or rows != rows_then or resident < resident_then:
            self._memory = (rows, resident)
            return False
        return resident - resident_then > MEMORY_BETWEEN_ROWS

    def hang_up(self) -> None:
        """End the driver's connections under it."""
        for inode, descriptor in _sockets().items():
            if inode in self._before:
                continue
            # A duplicate, because the driver may close its own meanwhile, and the number become another file's.
            with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
                if self._leads_to_source(connection):
                    connection.shutdown(socket.SHUT_RDWR)

    def _leads_to_source(self, connection: socket.socket) -> bool:
        """Whether it is the driver's connection; the port of a named instance is known to the driver alone."""
        if connection.family not in {socket.AF_INET, socket.AF_INET6}:
            return False
        return connection.getpeername()[1] == self._address.port or "\\" in self._address.host


@contextmanager
def watch_source(
    address: SourceAddress, time_limit_s: float | None, give_up: Callable[[str], None]
) -> Iterator[SourceWatch]:
    """Watch the connections that a driver opens to this address in the block, in a thread of its own.

    `give_up` is called there, with a sentence, when the driver can't be stopped; it has to end the process.
    """
    watch = SourceWatch(address, time_limit_s, give_up)
    done = Event()
    thread = Thread(target=_look_until, args=(done, watch), name="source watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()


def end_process(reason: str) -> None:
    """Say why and end the process from any of its threads, whatever the others do."""
    log.error("%s", reason)
    os._exit(1)


def _look_until(done: Event, watch: SourceWatch) -> None:
    while not done.wait(_LOOK_EVERY_S):
        watch.look()


def _sockets() -> dict[int, int]:
    """Return this process's open sockets: inode and descriptor."""
    found = {}
    for path in Path("/dev/fd").iterdir():
        with suppress(OSError):
            descriptor = int(path.name)
            status = os.fstat(descriptor)
            if stat.S_ISSOCK(status.st_mode):
                found[status.st_ino] = descriptor
    return found


def _resident_bytes() -> int:
    """Return this process's memory; always 0 where the system doesn't tell, which then has no limit."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

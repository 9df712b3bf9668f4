"""A brake on guessing passwords: wrong ones are counted by user and address, and by address."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW_S = 60
PER_USER = 5
PER_ADDRESS = 20
REMEMBERED = 10_000


class SignInFailures:
    """The failed sign-ins of the last minute, in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def seconds_to_wait(self, username: str, address: str) -> int:
        """Return how long this user, from this address, has to wait; 0 when they may try."""
        with self._lock:
            now = self._clock()
            return max(
                self._wait((address, username), PER_USER, now),
                self._wait((address,), PER_ADDRESS, now),
            )

    def add(self, username: str, address: str) -> None:
        """Count a wrong password."""
        with self._lock:
            now = self._clock()
            for key, limit in (((address, username), PER_USER), ((address,), PER_ADDRESS)):
                self._times.setdefault(key, deque(maxlen=limit)).append(now)
                self._times.move_to_end(key)
            # Guesses with ever new names must not fill the memory.
            while len(self._times) > REMEMBERED:
                self._times.popitem(last=False)

    def forget(self, username: str, address: str) -> None:
        """Forget the wrong passwords of a user who then knew the right one."""
        with self._lock:
            self._times.pop((address, username), None)

    def _wait(self, key: tuple[str, ...], limit: int, now: float) -> int:
        times = self._times.get(key)
        if times is None or len(times) < limit:
            return 0
        return max(0, math.ceil(times[0] + WINDOW_S - now))

"""A brake on guessing passwords: wrong ones are counted by user and address, and by address.

Behind a proxy all have one address. So that somebody's guessing does not shut out everybody there, the second count
does not hold up a user who signed in from the address before; the first one does.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

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
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def seconds_to_wait(self, username: str, address: str) -> int:
        """Return how long this user, from this address, has to wait; 0 when they may try."""
        with self._lock:
            now = self._clock()
            user = _key(username, address)
            wait_s = self._wait(user, PER_USER, now)
            return wait_s if user in self._known else max(wait_s, self._wait((address,), PER_ADDRESS, now))

    def add(self, username: str, address: str) -> None:
        """Count a wrong password."""
        with self._lock:
            now = self._clock()
            for key, limit in ((_key(username, address), PER_USER), ((address,), PER_ADDRESS)):
                self._times.setdefault(key, deque(maxlen=limit)).append(now)
                self._times.move_to_end(key)
            _shorten(self._times)

    def forget(self, username: str, address: str) -> None:
        """Forget the wrong passwords of a user who then knew the right one, and remember that they did."""
        with self._lock:
            user = _key(username, address)
            self._times.pop(user, None)
            self._known[user] = None
            self._known.move_to_end(user)
            _shorten(self._known)

    def _wait(self, key: tuple[str, ...], limit: int, now: float) -> int:
        times = self._times.get(key)
        if times is None or len(times) < limit:
            return 0
        return max(0, math.ceil(times[0] + WINDOW_S - now))


def _key(username: str, address: str) -> tuple[str, str]:
    # Airflow takes "Ada" and "ada" for the same.
    return address, username.casefold()


def _shorten(remembered: OrderedDict[Any, Any]) -> None:
    """Drop the oldest: guesses with ever new names must not fill the memory."""
    while len(remembered) > REMEMBERED:
        remembered.popitem(last=False)

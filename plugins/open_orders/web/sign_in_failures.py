"""A brake on guessing passwords: wrong ones are counted by user and address, by address, and by user.

Behind a proxy all have one address, and a proxy that believes its caller lets them choose one. So that somebody's
guessing does not shut out everybody, the last two counts do not hold up a user who signed in from the address before;
the first one does.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import Any

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

SPACE = "open_orders_sign_in"
PER_USER_AND_ADDRESS = RateLimitItemPerMinute(5, namespace=SPACE)
PER_ADDRESS = RateLimitItemPerMinute(20, namespace=SPACE)
PER_USER = RateLimitItemPerMinute(30, namespace=SPACE)
# Used up by a sign-in: the user is known at that address for a day.
KNOWN = RateLimitItemPerDay(1, namespace=SPACE)


class SignInFailures:
    """The failed sign-ins of the last minute, in a storage of the library `limits`: this process's own or a shared one.

    Every method raises `limits.errors.StorageError` when a shared storage does not answer.
    """

    def __init__(self, storage_uri: str = "memory://", **options: Any) -> None:
        # As Flask-AppBuilder's own login counts. A moving window would keep every name that was ever tried.
        self._counts = FixedWindowRateLimiter(storage_from_string(storage_uri, wrap_exceptions=True, **options))

    def seconds_to_wait(self, username: str, address: str) -> int:
        """Return how long this user, from this address, has to wait; 0 when they may try."""
        first, *others = _counts_of(username, address)
        is_known = not self._counts.test(KNOWN, *first[1])
        return max(self._wait(*count) for count in ([first] if is_known else [first, *others]))

    def add(self, username: str, address: str) -> None:
        """Count a wrong password."""
        for limit, key in _counts_of(username, address):
            self._counts.hit(limit, *key)

    def forget(self, username: str, address: str) -> None:
        """Forget the wrong passwords of a user who then knew the right one, and remember that they did."""
        (limit, key), *_ = _counts_of(username, address)
        self._counts.clear(limit, *key)
        self._counts.clear(KNOWN, *key)
        self._counts.hit(KNOWN, *key)

    def _wait(self, limit: RateLimitItem, key: tuple[str, ...]) -> int:
        if self._counts.test(limit, *key):
            return 0
        return max(1, math.ceil(self._counts.get_window_stats(limit, *key).reset_time - time.time()))


def _counts_of(username: str, address: str) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
    """Return the counts that a wrong password is one of, that of user and address first."""
    # Airflow takes "Ada" and "ada" for the same. A digest: not every storage takes long keys, or any sign in one.
    user = hashlib.sha256(username.casefold().encode()).hexdigest()
    return [(PER_USER_AND_ADDRESS, (address, user)), (PER_ADDRESS, (address,)), (PER_USER, (user,))]

from __future__ import annotations

from typing import ClassVar

import pytest
from limits.storage import MemoryStorage

from open_orders.web.sign_in_failures import PER_ADDRESS, PER_USER, PER_USER_AND_ADDRESS, SignInFailures

WINDOW_S = 60


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


def fail(failures: SignInFailures, times: int, username: str = "ada", address: str = "10.0.0.1") -> None:
    """Try so many wrong passwords; `#` in a name or address stands for another one each time."""
    for number in range(times):
        failures.add(username.replace("#", str(number)), address.replace("#", str(number)))


def test_user_waits_after_too_many_failures_until_the_window_is_over(clock: Clock) -> None:
    failures = SignInFailures()
    for _ in range(PER_USER_AND_ADDRESS.amount):
        assert failures.seconds_to_wait("ada", "10.0.0.1") == 0
        failures.add("ada", "10.0.0.1")
    assert failures.seconds_to_wait("ada", "10.0.0.1") == WINDOW_S
    assert failures.seconds_to_wait("ada", "10.0.0.2") == 0
    clock.now += WINDOW_S
    assert failures.seconds_to_wait("ada", "10.0.0.1") == 0


def test_address_waits_when_it_tries_many_names(clock: Clock) -> None:
    failures = SignInFailures()
    fail(failures, PER_ADDRESS.amount, "user#")
    assert failures.seconds_to_wait("somebody else", "10.0.0.1") > 0


def test_new_addresses_give_no_more_guesses_but_do_not_shut_the_user_out(clock: Clock) -> None:
    failures = SignInFailures()
    failures.forget("ada", "10.0.0.1")
    fail(failures, PER_USER.amount, address="10.0.1.#")
    assert failures.seconds_to_wait("ADA", "10.0.2.1") > 0
    assert failures.seconds_to_wait("ada", "10.0.0.1") == 0
    assert failures.seconds_to_wait("grace", "10.0.2.1") == 0


def test_right_password_forgets_the_wrong_ones(clock: Clock) -> None:
    failures = SignInFailures()
    fail(failures, PER_USER_AND_ADDRESS.amount - 1)
    failures.forget("ada", "10.0.0.1")
    failures.add("ada", "10.0.0.1")
    assert failures.seconds_to_wait("ada", "10.0.0.1") == 0


def test_memory_is_bounded(clock: Clock) -> None:
    failures = SignInFailures()
    storage = failures._counts.storage
    assert isinstance(storage, MemoryStorage)
    fail(failures, 2000, "user #", "address #")
    clock.now += WINDOW_S
    failures.add("ada", "10.0.0.1")
    storage.timer.join(timeout=10)
    assert len(storage.storage) == len(storage.expirations) <= 3
    assert not storage.events


class SharedStorage(MemoryStorage):
    """A storage of several processes, as a Redis is."""

    STORAGE_SCHEME: ClassVar = ["shared"]
    counts = MemoryStorage()

    def __init__(self, *_: object, **__: object) -> None:
        self.__dict__ = self.counts.__dict__


def test_processes_with_a_shared_storage_count_together(clock: Clock) -> None:
    one, other = SignInFailures("shared://"), SignInFailures("shared://")
    fail(one, 3)
    fail(other, 2)
    assert one.seconds_to_wait("ada", "10.0.0.1") == other.seconds_to_wait("ada", "10.0.0.1") == WINDOW_S

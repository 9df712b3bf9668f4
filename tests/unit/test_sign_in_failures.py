from __future__ import annotations

from open_orders.web.sign_in_failures import PER_ADDRESS, PER_USER, REMEMBERED, WINDOW_S, SignInFailures


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_user_waits_after_too_many_failures_until_the_window_is_over() -> None:
    clock = Clock()
    failures = SignInFailures(clock)
    for _ in range(PER_USER):
        assert failures.seconds_to_wait("ada", "10.0.0.1") == 0
        failures.add("ada", "10.0.0.1")
    assert failures.seconds_to_wait("ada", "10.0.0.1") == WINDOW_S
    assert failures.seconds_to_wait("ada", "10.0.0.2") == 0
    clock.now += WINDOW_S
    assert failures.seconds_to_wait("ada", "10.0.0.1") == 0


def test_address_waits_when_it_tries_many_names() -> None:
    failures = SignInFailures(Clock())
    for number in range(PER_ADDRESS):
        failures.add(f"user{number}", "10.0.0.1")
    assert failures.seconds_to_wait("somebody else", "10.0.0.1") > 0


def test_right_password_forgets_the_wrong_ones() -> None:
    failures = SignInFailures(Clock())
    for _ in range(PER_USER - 1):
        failures.add("ada", "10.0.0.1")
    failures.forget("ada", "10.0.0.1")
    failures.add("ada", "10.0.0.1")
    assert failures.seconds_to_wait("ada", "10.0.0.1") == 0


def test_memory_is_bounded() -> None:
    failures = SignInFailures(Clock())
    for number in range(REMEMBERED + 100):
        failures.add("ada", f"address {number}")
    assert len(failures._times) <= REMEMBERED

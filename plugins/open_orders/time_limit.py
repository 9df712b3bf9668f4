"""A limit for what can't be told to stop, such as a name that the network is asked for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread


def run_within(limit_s: float, work: Callable[[], None]) -> bool:
    """Do the work in a thread and return whether it ended in time; otherwise it is left to itself.

    What the work raises is lost: it has to keep what it found where the caller looks.
    """
    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit_s)
    return not thread.is_alive()

"""Ctrl-C and polite kills, so that the quickstart takes down what it has started."""

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_interrupts() -> None:
    """Make the first of Ctrl-C, SIGTERM and SIGHUP a KeyboardInterrupt, and the later ones nothing."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


def ignore_interrupts() -> None:
    """Let nothing interrupt the stopping that comes next."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    ignore_interrupts()
    raise KeyboardInterrupt

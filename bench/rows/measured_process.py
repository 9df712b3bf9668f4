"""A contender at work in a process of its own: how long it took, and how much memory it had at most."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.processes import read_tail
from sandbox.state import REPOSITORY

TIMEOUT_S = 1800
_LOOK_EVERY_S = 0.05
_KB = 1024


class ContenderError(Exception):
    """A contender failed, or did not move the rows; the message holds the end of its output."""


@dataclass(frozen=True)
class Finished:
    """A process that succeeded: seconds from its start to its end, megabytes it had at most, and its last line."""

    wall_s: float
    peak_mb: float
    last_line: str


def run_measured(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Finished:
    """Run a command with these variables beside our own; raises ContenderError when it fails or takes too long."""
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=REPOSITORY, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    with _MemoryWatch(process.pid) as memory:
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    wall_s = time.monotonic() - began
    lines = read_tail(log).splitlines()
    if process.returncode:
        raise ContenderError(f"exit code {process.returncode}: {' '.join(' '.join(lines[-6:]).split())}")
    return Finished(wall_s, memory.peak_mb, lines[-1] if lines else "")


def read_peak_mb(pid: int | str = "self") -> float:
    """Return the megabytes that a process had at most; 0 for one that has ended.

    Not what getrusage and wait4 tell: that begins with what the parent had when it started the process.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / _KB for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


class _MemoryWatch:
    """Looks at a process's peak of memory again and again, since nobody can after its end."""

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            self.peak_mb = max(self.peak_mb, read_peak_mb(self._pid))

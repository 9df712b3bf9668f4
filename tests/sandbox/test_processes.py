from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox.processes import PROCFILE, Processes, ProcessesError, stop_recorded

# A process that starts one of its own, which may be deaf to SIGTERM, and writes both ids.
PARENT = """
import os, signal, sys, time
child = os.fork()
if child == 0:
    if "deaf" in sys.argv[1]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(3600)
with open(sys.argv[1] + ".new", "w") as ids:
    ids.write(f"{os.getpid()} {child}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.pause()
"""


class Workshop:
    """A Procfile of two processes that each start another, below a directory with a space."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.record = directory / "processes.json"
        self.log_file = directory / "processes.log"
        (directory / "parent.py").write_text(textwrap.dedent(PARENT))
        (directory / "Procfile").write_text(
            "".join(
                f"{name}: exec {shlex.quote(sys.executable)} '{directory}/parent.py' '{directory}/{name}'\n"
                for name in ("a", "b", "deaf")
            )
            + "failing: echo no luck today; exit 7\n"
        )

    def build(self, *names: str) -> Processes:
        return Processes(names, os.environ, self.log_file, self.record, self.directory / "Procfile")

    def await_ids(self, *names: str) -> list[psutil.Process]:
        """Return the processes and their children as soon as they run."""
        deadline = time.monotonic() + 60
        while not all((self.directory / name).exists() for name in names):
            assert time.monotonic() < deadline, self.log_file.read_text()
            time.sleep(0.01)
        return [psutil.Process(int(pid)) for name in names for pid in (self.directory / name).read_text().split()]


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    directory = tmp_path / "work shop"
    directory.mkdir()
    workshop = Workshop(directory)
    yield workshop
    stop_recorded(workshop.record)


def is_over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_stop_ends_the_processes_and_what_they_started(workshop: Workshop) -> None:
    processes = workshop.build("a", "b")
    processes.start()
    started = workshop.await_ids("a", "b")
    processes.check()
    processes.stop()
    assert len(started) == 4
    assert all(is_over(process) for process in started)


def test_stop_ends_what_is_deaf_to_sigterm(workshop: Workshop) -> None:
    processes = workshop.build("deaf")
    processes.start()
    started = workshop.await_ids("deaf")
    processes.stop()
    assert all(is_over(process) for process in started)


def test_process_that_ends_is_reported_with_its_output(workshop: Workshop) -> None:
    processes = workshop.build("a", "failing")
    with pytest.raises(ProcessesError, match=r"(?s)exit code 7.*no luck today"):
        processes.start()
        while True:
            processes.check()


def test_what_a_crashed_start_left_is_stopped(workshop: Workshop) -> None:
    processes = workshop.build("a", "b")
    processes.start()
    started = workshop.await_ids("a", "b")
    honcho = psutil.Process(json.loads(workshop.record.read_text())[0]["leader"])
    honcho.kill()
    honcho.wait()
    assert stop_recorded(workshop.record) >= len(started)
    assert all(is_over(process) for process in started)
    assert not workshop.record.exists()


def test_process_that_has_the_number_of_a_former_one_is_left_alone(workshop: Workshop) -> None:
    elsewhere = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
    try:
        # The number of a session that has ended may belong to somebody else's by now.
        created = psutil.Process(elsewhere.pid).create_time()
        workshop.record.write_text(json.dumps([{"leader": elsewhere.pid, "created": created - 3600}]))
        assert stop_recorded(workshop.record) == 0
        assert elsewhere.poll() is None
    finally:
        elsewhere.kill()
        elsewhere.wait()


def test_nothing_recorded_is_nothing_to_stop(workshop: Workshop) -> None:
    assert stop_recorded(workshop.record) == 0


def test_every_line_of_the_procfile_replaces_its_shell() -> None:
    # Otherwise the shell, and not the server, would get the signal.
    lines = PROCFILE.read_text().splitlines()
    assert all(line.partition(": ")[2].startswith("exec python -m ") for line in lines)

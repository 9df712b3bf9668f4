"""The quickstart's long-running processes: honcho runs them, this starts and stops honcho.

honcho gives each process of the Procfile a session of its own. A process is known by its session from then on:
also the tasks that a killed scheduler leaves behind belong to it, whatever title they gave themselves.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.state import REPOSITORY

PROCFILE = Path(__file__).with_name("Procfile")
START_TIMEOUT_S = 20.0
# honcho gives its processes 5 s between SIGTERM and SIGKILL.
STOP_TIMEOUT_S = 7.0
# How far apart two readings of one process's start time may be: the clock it is computed from is adjustable.
CREATE_TIME_TOLERANCE_S = 2.0


class ProcessesError(Exception):
    """A long-running process did not start or ended by itself; the message holds the end of the log."""


@dataclass(frozen=True)
class Session:
    """A process session that was started here: its leader's process id and start time (epoch, s)."""

    leader: int
    created: float


class Processes:
    """Some processes of the Procfile under one honcho.

    Args:
        names: the Procfile's names to start.
        environment: for all of them.
        log_file: honcho's output, each line with time and process name.
        record: file that remembers what runs, for `stop_recorded` after a crash.
        procfile: says how each name is started.
    """

    def __init__(
        self,
        names: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        record: Path,
        procfile: Path = PROCFILE,
    ) -> None:
        self.names = names
        self.log_file = log_file
        self._environment = environment
        self._record = record
        self._procfile = procfile
        self._honcho: subprocess.Popen[bytes] | None = None
        self._sessions: list[Session] = []

    def start(self) -> None:
        """Return when all processes have been launched (not: are ready)."""
        command = [sys.executable, "-m", "honcho", "--no-colour", "-f", str(self._procfile)]
        # Without a named file honcho would read .env of the repository, which is docker compose's.
        command += ["-e", os.devnull, "start", *self.names]
        with self.log_file.open("ab") as log:
            self._honcho = subprocess.Popen(
                command,
                env=dict(self._environment),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # So that Ctrl-C in the terminal leaves the order of stopping to `stop`.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(self._sessions) < len(self.names) + 1:
            self.check()
            if time.monotonic() > deadline:
                self.stop()
                raise ProcessesError(
                    f"honcho did not launch {', '.join(self.names)} within {START_TIMEOUT_S:.0f} s; "
                    f"the end of {self.log_file}:\n{read_tail(self.log_file)}"
                )
            self._sessions = _list_sessions(self._honcho.pid)
            time.sleep(0.02)
        _append_record(self._record, self._sessions)

    def check(self) -> None:
        """Raise ProcessesError when a process has ended; honcho then stops the others."""
        if self._honcho is not None and self._honcho.poll() is not None:
            raise ProcessesError(
                f"One of {', '.join(self.names)} ended (exit code {self._honcho.returncode}); "
                f"the end of {self.log_file}:\n{read_tail(self.log_file)}"
            )

    def list_members(self) -> list[psutil.Process]:
        """Return all processes that run now, with what they started and with what a killed one left behind."""
        return [member for session in self._sessions for member in _list_members(session)]

    def request_stop(self) -> None:
        """Tell the processes to end and do not wait."""
        if self._honcho is not None:
            self._honcho.terminate()

    def stop(self) -> None:
        """Return when all processes and what they started have ended; does nothing before `start`."""
        if self._honcho is None:
            return
        self.request_stop()
        try:
            self._honcho.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._honcho.kill()
            self._honcho.wait()
        stop_sessions(self._sessions, signal.SIGKILL)
        self._honcho = None
        self._sessions = []


def stop_recorded(record: Path) -> int:
    """Stop what a crashed start left running, forget it, and return how many processes that were."""
    try:
        sessions = [Session(**entry) for entry in json.loads(record.read_text())]
    except FileNotFoundError:
        return 0
    stopped = stop_sessions(sessions, signal.SIGTERM)
    stop_sessions(sessions, signal.SIGKILL)
    record.unlink()
    return stopped


def stop_sessions(sessions: Sequence[Session], number: signal.Signals) -> int:
    """Send the signal to all members of the sessions, wait for their end, return how many there were."""
    members = [member for session in sessions for member in _list_members(session)]
    for member in members:
        try:
            member.send_signal(number)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(members, timeout=STOP_TIMEOUT_S)
    return len(members)


def read_tail(log_file: Path, lines: int = 20) -> str:
    """Return the last lines of a log file, or a remark when there is no such file."""
    try:
        with log_file.open(errors="replace") as log:
            return "".join(deque(log, maxlen=lines)).rstrip()
    except FileNotFoundError:
        return "(nothing was logged)"


def _list_sessions(honcho: int) -> list[Session]:
    """Return honcho's own session and those of the processes that it has launched."""
    processes = psutil.Process(honcho)
    leaders = [processes, *processes.children(recursive=True)]
    sessions = []
    for process in leaders:
        try:
            if os.getsid(process.pid) == process.pid:
                sessions.append(Session(process.pid, process.create_time()))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return sessions


def _append_record(record: Path, sessions: Sequence[Session]) -> None:
    known = json.loads(record.read_text()) if record.exists() else []
    known += [{"leader": session.leader, "created": session.created} for session in sessions]
    unfinished = record.with_suffix(".new")
    unfinished.write_text(json.dumps(known))
    unfinished.rename(record)


def _list_members(session: Session) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session.leader and _belongs(process, session):
                members.append(process)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue  # ended meanwhile, or of another user
    return members


def _belongs(process: psutil.Process, session: Session) -> bool:
    """Whether a process with the session's number is of that session and not of a later one."""
    if psutil.pid_exists(session.leader):
        created: float = psutil.Process(session.leader).create_time()
        return abs(created - session.created) < CREATE_TIME_TOLERANCE_S
    return Path(process.cwd()) == REPOSITORY

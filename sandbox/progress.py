"""What the quickstart says while it works."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox.processes import read_tail
from sandbox.state import REPOSITORY


class CommandError(Exception):
    """A command of the start ended with an error; the message holds the end of its output."""


def say(message: str) -> None:
    """Print a line at once, also into a pipe."""
    print(message, flush=True)


@contextmanager
def announce(doing: str) -> Iterator[None]:
    """Print a line when the step begins, and one with its seconds when it is done."""
    say(f"  … {doing}")
    began = time.monotonic()
    yield
    say(f"  ✓ {doing} ({time.monotonic() - began:.1f} s)")


class Command:
    """A command of the start that runs beside others, its output in a log file.

    Args:
        doing: what the progress lines say.
        arguments: for this Python, for example `["-m", "airflow", "db", "migrate"]`.
        environment: all of it.
        log_file: overwritten.
        answers: lines for its standard input.
    """

    def __init__(
        self,
        doing: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        answers: Sequence[str] = (),
    ) -> None:
        self._doing = doing
        self._log_file = log_file
        self._began = time.monotonic()
        say(f"  … {doing}")
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                env=dict(environment),
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # A prompt for a password reads the terminal, if there is one, instead of the answers.
                start_new_session=True,
            )
        if self._process.stdin is not None:
            self._process.stdin.write("".join(f"{answer}\n" for answer in answers).encode())
            self._process.stdin.close()

    def wait(self) -> None:
        """Return when the command has succeeded; raises CommandError when it has not."""
        code = self._process.wait()
        if code != 0:
            raise CommandError(
                f"{self._doing} failed (exit code {code}); the end of {self._log_file}:\n{read_tail(self._log_file)}"
            )
        say(f"  ✓ {self._doing} ({time.monotonic() - self._began:.1f} s)")

    def stop(self) -> None:
        """End the command if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

"""A quickstart's first run, from nothing, and what it leaves behind, for those that need a migrated Airflow."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.ports import find_free_port
from sandbox.state import State

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 420
STOP_TIMEOUT_S = 60


def build_environment(state_dir: Path) -> dict[str, str]:
    """Return an environment in which the commands in bin/ use this state directory."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "OPEN_ORDERS"))}
    return {**inherited, "OPEN_ORDERS_SANDBOX_DIR": str(state_dir)}


def run_once(state_dir: Path, *options: str) -> tuple[int, str]:
    """Run `bin/quickstart --once` with options; return exit code and output."""
    command = [ROOT / "bin" / "quickstart", "--once", "--port", str(find_free_port()), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=build_environment(state_dir)
    ) as process:
        try:
            output, _ = process.communicate(timeout=START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # Killed, it would leave all that it has started.
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=STOP_TIMEOUT_S)
    print(output)
    return process.returncode, output


@dataclass(frozen=True)
class FirstRun:
    """How it went, and the state directory, in which nothing runs any more."""

    code: int
    output: str
    state_dir: Path

    def copy_to(self, state_dir: Path) -> None:
        """Make a state directory with its databases, roles and secrets, so that a start on it migrates nothing."""
        assert State(self.state_dir).migrated_file.exists(), self.output
        copy = State(state_dir)
        copy.create_directories()
        for name in ("postgres", "postgres.password", "secrets", "airflow/migrated"):
            # With owners, modes and times: by them PostgreSQL and the quickstart know their own.
            command = ["cp", "--archive", "--no-target-directory", self.state_dir / name, state_dir / name]
            subprocess.run(command, check=True)


def make_first_run(state_dir: Path) -> FirstRun:
    """Start a quickstart where nothing is, let the source fail the run that it shows, and return when it has ended."""
    code, output = run_once(state_dir, "--rows", "3000", "--fault", "refuse_logins")
    return FirstRun(code, output, state_dir)

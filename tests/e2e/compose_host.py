"""A machine for the services of docker-compose.yaml without a container engine.

Network, host names and files are namespaces of the kernel: every service's name is an address of a network that only
these processes see, so that the addresses and ports of the compose file hold as they stand, and /opt/airflow has what
the Dockerfile copies. What is not there: the images themselves, their users and their entrypoints, and the limits.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest

from sandbox.postgres import find_binary
from tests.compose_file import ROOT
from tests.e2e import compose_servers

IMAGE_FOLDER = "/opt/airflow"
# A busy machine is slower than the one that start_period and retries are meant for.
PATIENCE = 6
SET_UP = """
ip link set lo up
mount -t tmpfs tmpfs /opt
mkdir /opt/airflow
mount --bind "$1" /opt/airflow
mount --bind "$2" /etc/hosts
echo ready
exec sleep infinity
"""
ENTER = 'hostname "$1"; cd "$2"; shift 2; exec "$@"'


def build_image(folder: Path) -> dict[str, str]:
    """Make what the Dockerfile's COPY lines make of /opt/airflow; return its ENV, with that of the official image."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    for source, target in re.findall(r"^COPY \S+ (\S+) /opt/airflow/(\S+)$", dockerfile, re.MULTILINE):
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / target)
    official = {"AIRFLOW_HOME": IMAGE_FOLDER, "LANG": "C.UTF-8", "HOME": str(folder.parent)}
    return official | dict(re.findall(r"^ENV (\w+)=(\S+)$", dockerfile, re.MULTILINE))


class ComposeHost:
    """Runs what the services of a rendered compose file say, each under its own host name.

    Args:
        folder: for files and output.
        services: the rendered compose file's.
    """

    def __init__(self, folder: Path, services: Mapping[str, Any]) -> None:
        self.folder = folder
        self.services = services
        self._cleanup = ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> ComposeHost:
        image = self.folder / "image"
        image.mkdir()
        self._image_environment = build_image(image)
        shutil.copytree(ROOT / "sandbox", image / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
        hosts = self.folder / "hosts"
        # Addresses of their own, so that each host's full name is its own.
        named = enumerate(self.services, start=1)
        hosts.write_text("127.0.0.1 localhost\n" + "".join(f"127.0.1.{number} {name}\n" for number, name in named))
        command = ["unshare", "--net", "--mount", "--propagation", "private", "bash", "-euc", SET_UP, "bash"]
        self._namespaces = subprocess.Popen([*command, image, hosts], stdout=subprocess.PIPE)
        self._cleanup.callback(self._namespaces.wait)
        self._cleanup.callback(self._namespaces.kill)
        assert self._namespaces.stdout is not None
        assert self._namespaces.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.stop(name)
        self._cleanup.close()

    def start_servers(self) -> None:
        """Return when PostgreSQL and the stand-in for SQL Server listen."""
        environment = {"PYTHONPATH": f"{ROOT}/plugins:{ROOT}", "HOME": str(self.folder)}
        data = self.folder / "servers"
        data.mkdir()
        self._start("servers", [sys.executable, "-m", "tests.e2e.compose_servers", str(data)], environment, cwd=ROOT)
        self.await_true(lambda: compose_servers.READY in self.read_output("servers"), 120, "the servers")

    def start(self, name: str) -> None:
        """Start a service and return at once."""
        self._start(name, self._build_command(name), self._build_environment(name))

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a service to its end, or another command in its place."""
        return subprocess.run(
            self._enter(name, list(command) or self._build_command(name), IMAGE_FOLDER),
            env=self._build_environment(name),
            capture_output=True,
            text=True,
            check=False,
        )

    def check_health(self, name: str) -> subprocess.CompletedProcess[str]:
        kind, *test = self.services[name]["healthcheck"]["test"]
        assert kind in ("CMD", "CMD-SHELL")
        return self.run(name, *(test if kind == "CMD" else ["sh", "-c", test[0]]))

    def await_health(self, name: str) -> None:
        """Return when the service's health check succeeds; fails when Docker would call it unhealthy long since."""
        check = self.services[name]["healthcheck"]
        periods = [check.get("start_period", "0s"), *[check["interval"]] * check["retries"]]
        patience = PATIENCE * sum(int(period.removesuffix("s")) for period in periods)

        def is_healthy() -> bool:
            process = self._running.get(name)
            if process is not None and process.poll() is not None:
                pytest.fail(f"{name} ended with {process.returncode}\n{self.read_output(name)}")
            return self.check_health(name).returncode == 0

        self.await_true(is_healthy, patience, f"the health of {name}", every_s=3)

    def stop(self, name: str) -> float:
        """Stop a service as Docker does, and return how many seconds it took; SIGKILL after its grace period."""
        process = self._running.pop(name)
        grace = int(self.services.get(name, {}).get("stop_grace_period", "10s").removesuffix("s"))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.monotonic() - began

    def find_process(self, name: str) -> int:
        """Return the process id of a running service."""
        return self._running[name].pid

    def read_output(self, name: str) -> str:
        return (self.folder / f"{name}.txt").read_text(errors="replace")

    def await_true(self, condition: Callable[[], Any], timeout_s: float, what: str, every_s: float = 0.5) -> Any:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(every_s)
        output = "\n".join(f"--- {name}\n{self.read_output(name)[-3000:]}" for name in self._running)
        pytest.fail(f"{what} did not come within {timeout_s} s\n{output}")

    def _build_command(self, name: str) -> list[str]:
        service = self.services[name]
        command = service["command"]
        command = shlex.split(command) if isinstance(command, str) else command
        if "entrypoint" in service:
            return [*service["entrypoint"], *command]
        # As the official image's entrypoint does with what is no program.
        return (
            command if shutil.which(command[0], path=self._path) and command[0] != "celery" else ["airflow", *command]
        )

    @property
    def _path(self) -> str:
        return f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/bin:{find_binary(18, 'psql').parent}"

    def _build_environment(self, name: str) -> dict[str, str]:
        given = self.services[name].get("environment", {})
        return {"PATH": self._path, "HOSTNAME": name, **self._image_environment, **given}

    def _enter(self, name: str, command: list[str], cwd: str) -> list[str]:
        enter = ["nsenter", f"--target={self._namespaces.pid}", "--net", "--mount", "unshare", "--uts"]
        return [*enter, "sh", "-euc", ENTER, "sh", name, cwd, *command]

    def _start(self, name: str, command: list[str], environment: Mapping[str, str], cwd: Path | None = None) -> None:
        output: IO[bytes] = (self.folder / f"{name}.txt").open("ab")
        with output:
            self._running[name] = subprocess.Popen(
                self._enter(name, command, str(cwd or IMAGE_FOLDER)),
                env={"PATH": self._path, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

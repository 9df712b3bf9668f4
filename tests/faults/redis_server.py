"""Redis from Debian's packages, which forgets everything when it ends: no broker is trusted to remember."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Self

import redis

from sandbox.debian import find_program

START_TIMEOUT_S = 20


def find_redis() -> str:
    return find_program(["redis-server"], "redis-server", "Redis")


class RedisServer:
    """A Redis on one port for good: it can be killed and started again."""

    def __init__(self, directory: Path, host: str, port: int, password: str) -> None:
        self.host, self.port = host, port
        self._directory = directory
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """The address of its first database, with the password."""
        return f"redis://:{self._password}@{self.host}:{self.port}/0"

    def start(self) -> None:
        """Return when it answers; does nothing when it runs."""
        if self._process is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": self.host,
            "port": self.port,
            "requirepass": self._password,
            "dir": self._directory,
            "save": '""',
            "appendonly": "no",
        }
        with (self._directory / "redis.log").open("ab") as log:
            # By standard input: others can read command lines.
            self._process = subprocess.Popen(
                [find_redis(), "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        assert self._process.stdin is not None
        with self._process.stdin as configuration:
            configuration.write("".join(f"{name} {value}\n" for name, value in settings.items()).encode())
        self._await_answer()

    def kill(self) -> None:
        """End it with SIGKILL, and with it all that it holds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def count(self, key: str) -> int:
        """Return how many fields the hash has."""
        with redis.Redis.from_url(self.url) as client:
            return int(client.hlen(key))

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
                return
            except redis.ConnectionError:
                assert self._process is not None
                assert self._process.poll() is None, (self._directory / "redis.log").read_text()
                assert time.monotonic() < deadline, "Redis does not answer"
                time.sleep(0.02)

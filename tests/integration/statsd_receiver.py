"""A StatsD server on this machine that only listens."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Self


class StatsdReceiver:
    """A UDP socket that keeps what it gets until it is asked; what it has no room for is lost."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def options(self) -> dict[str, str]:
        """Airflow's options of the section `metrics` that lead here, without the hundreds that are Airflow's own."""
        host, port = self._socket.getsockname()
        return {
            "STATSD_ON": "True",
            "STATSD_HOST": host,
            "STATSD_PORT": str(port),
            "METRICS_ALLOW_LIST": r"job_log\.",
        }

    def take(self) -> list[tuple[str, str]]:
        """Return what came of our metrics since the last time, in order: name, and value with type."""
        datagrams: list[bytes] = []
        # On one machine, what was sent is here.
        with suppress(BlockingIOError):
            while True:
                datagrams.append(self._socket.recv(65535, socket.MSG_DONTWAIT))
        lines = b"\n".join(datagrams).decode().splitlines()
        found = [(name, value) for name, _, value in (line.partition(":") for line in lines)]
        return [(name, value) for name, value in found if name.startswith("airflow.job_log.")]

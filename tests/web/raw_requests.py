"""Requests as an api-server hands them to an app, byte by byte: what no client library would send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import anyio
from starlette.types import ASGIApp


@dataclass(frozen=True)
class RawAnswer:
    """Status, headers in lower case, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask(app: ASGIApp, path: str, query: str = "", accept: str = "text/html") -> RawAnswer:
    """Return the answer to a GET; path and query are percent-encoded, any bytes. An exception is the test's."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode("latin-1"),
        "headers": [(b"host", b"airflow.example"), (b"accept", accept.encode())],
        "client": ("10.0.0.1", 1234),
        "server": ("airflow.example", 80),
        "state": {},
    }
    sent: list[Any] = []

    async def receive() -> Any:
        # A client that stays to the end.
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return RawAnswer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def run_apart(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Run a coroutine function in a thread of its own: tests in a browser leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(anyio.run, function, *arguments).result()

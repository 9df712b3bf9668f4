"""A web app that is built when its first request comes.

Every Airflow process loads every plugin, each task's among them; only the api-server needs the apps, whose imports take
longer than a small task.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class LazyApp:
    """An ASGI app, named by module and builder function."""

    def __init__(self, module: str, builder: str) -> None:
        self._module = module
        self._builder = builder
        self._lock = Lock()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or connection."""
        await self.build()(scope, receive, send)

    def build(self) -> ASGIApp:
        """Return the app.

        What the process has imported by then, Airflow included, stays: the garbage collector looks through it no more,
        which would stop every answer for some tenths of a second, each time.
        """
        with self._lock:
            if self._app is None:
                build: Callable[[], ASGIApp] = getattr(import_module(self._module), self._builder)
                self._app = build()
                gc.freeze()
            return self._app

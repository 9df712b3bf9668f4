"""At most so many of our requests at work at once: Airflow's own share the threads and the processor with them."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from open_orders.web.database import POOLS

# As many as have a connection to read with; more would only take turns. Who waits here holds no thread of Airflow's.
AT_WORK = POOLS["pages"][1]


class FewAtOnce:
    """Let a request begin when one that is at work has begun its answer; style sheets and scripts need not wait."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or "/static/" in scope["path"]:
            await self._app(scope, receive, send)
            return
        places = _places()
        await places.acquire()
        held = True

        def leave() -> None:
            nonlocal held
            if held:
                held = False
                places.release()

        async def send_and_leave(message: Message) -> None:
            # A download lasts as long as its reader's line is slow.
            if message["type"] == "http.response.start":
                leave()
            await send(message)

        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            leave()


_semaphores: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _places() -> asyncio.Semaphore:
    """Return what both of our apps share, in this event loop."""
    return _semaphores.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_WORK))

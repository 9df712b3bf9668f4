"""Navigation only for who may read: Airflow tells its UI of every plugin's pages, whoever asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from open_orders.web.navigation import AREA_OF_ROUTE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/api/v2/plugins"


class PluginFilter:
    """Middleware of Airflow's app: leaves out, of its list of plugins, our pages that the session's user may not read.

    Only what the UI shows is decided here; the pages themselves check on their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].endswith(PATH):
            await self._app(scope, receive, send)
            return
        # Every Airflow process imports this file with the plugin; only the api-server needs these.
        from fastapi.concurrency import run_in_threadpool

        start: Message = {}
        body = bytearray()

        async def hold(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            content = bytes(body)
            if start["status"] == 200:
                content = await run_in_threadpool(_without_unreadable, content, scope)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            headers.append((b"content-length", str(len(content)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        await self._app(scope, receive, hold)


def _without_unreadable(content: bytes, scope: Scope) -> bytes:
    from airflow.api_fastapi.core_api.security import USER_INJECTED_BY_TRUSTED_MIDDLEWARE

    from open_orders.web.auth import may_read

    state = scope.get("state", {})
    user = state.get("user")
    if user is None or state.get("user_authenticated_via") is not USER_INJECTED_BY_TRUSTED_MIDDLEWARE:
        # A program with a token, which shows no navigation.
        return content
    listing = json.loads(content)
    for plugin in listing["plugins"]:
        for kind in ("external_views", "react_apps"):
            plugin[kind] = [item for item in plugin[kind] if _is_readable(item, user, may_read)]
    return json.dumps(listing).encode()


def _is_readable(item: dict[str, Any], user: Any, may_read: Any) -> bool:
    area = AREA_OF_ROUTE.get(item.get("url_route") or "")
    return area is None or bool(may_read(user, area))

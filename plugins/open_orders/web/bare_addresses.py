"""The addresses of our apps without the slash at their end, which Airflow would answer with its own "not found"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

BARE = ("/job_logs", "/open_orders")


class BareAddresses:
    """Middleware of Airflow's app: leads from `/job_logs` to `/job_logs/`, the query kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) not in BARE:
            await self._app(scope, receive, send)
            return
        # Every Airflow process imports this file with the plugin; only the api-server needs these.
        from open_orders.web.security_headers import HEADERS, PRIVATE

        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        # A path alone: what the Host header says is no address to send anybody to.
        location = scope["path"].encode() + b"/" + query
        safe = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        headers = [(b"location", location), (b"cache-control", PRIVATE.encode()), *safe]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

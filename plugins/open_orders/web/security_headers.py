"""The headers that every response of ours carries."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    # Airflow shows our pages in a frame of its own.
    "frame-ancestors 'self'; form-action 'self'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What is read here is nobody else's: neither a proxy nor the next user of the browser may find it kept.
PRIVATE = "no-store"
# The address of a static file with a version changes with its content; without one, the browser asks whether it did.
LONG = "public, max-age=31536000, immutable"
ASK = "no-cache"


class SecurityHeaders:
    """Add the headers to every response, errors included, unless the response has its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kept = PRIVATE
        if "/static/" in scope["path"]:
            kept = LONG if scope["query_string"].startswith(b"v=") else ASK

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", kept if message["status"] < 400 else PRIVATE)
            await send(message)

        await self._app(scope, receive, send_with_headers)

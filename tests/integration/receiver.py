"""What gets alerts and pings in tests: a web server that keeps what it was sent and answers as it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self

TOKEN = "s3cretT0ken-in-the-path"


@dataclass
class Request:
    method: str
    path: str
    body: Any = None


@dataclass
class Receiver:
    """A receiver at `url`; `status` is what it answers, `hangs` lets it say nothing until the test is over."""

    status: int = 200
    hangs: bool = False
    requests: list[Request] = field(default_factory=list)
    _over: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it is pinged."""
        return f"http://127.0.0.1:{self.port}/{TOKEN}"

    @property
    def connection(self) -> str:
        """A value of AIRFLOW_CONN_ALERTS that has alerts sent to it."""
        return connect_to(f"json://127.0.0.1:{self.port}/{TOKEN}")

    @property
    def titles(self) -> list[str]:
        """The titles of the alerts that came, in the order they came."""
        return [request.body["title"] for request in self.requests]

    def _make_handler(receiver) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - self is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                receiver.requests.append(Request(self.command, self.path, json.loads(body) if body else None))
                self._answer()

            def do_GET(self) -> None:
                receiver.requests.append(Request(self.command, self.path))
                self._answer()

            def _answer(self) -> None:
                if receiver.hangs:
                    receiver._over.wait()
                    return
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def connect_to(*urls: str) -> str:
    """Return a value of AIRFLOW_CONN_ALERTS that has alerts sent to all of these addresses of Apprise."""
    return json.dumps({"conn_type": "apprise", "extra": {"config": [{"path": url} for url in urls]}})

"""The stand-in SQL Server as a thing to start and stop."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Mapping

from sandbox.tds.engine import Engine
from sandbox.tds.faults import NO_FAULTS, Faults, FaultSource
from sandbox.tds.session import Reception, Session, SessionRecord

_REMEMBERED_SESSIONS = 200


class StandInServer:
    """Serves TDS 7.4 on a TCP port, from `start` (or `with`) until `stop`.

    `users` maps login names to passwords. `faults` may be replaced while the server runs; it takes effect at the
    next login or batch. `sessions` are the last 200 clients that logged in, oldest first.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        users: Mapping[str, str],
        database: str = "ERP",
        faults: Faults | FaultSource | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        replies_at_once: bool = False,
    ) -> None:
        """Port 0 takes a free one at `start`.

        `replies_at_once` keeps a reply's packets until it is complete. It is for a client in the same process that
        doesn't let other threads run while it waits for the rest of a reply, as mssql-python within a long value.
        """
        self.host = host
        self.port = port
        self.sessions: deque[SessionRecord] = deque(maxlen=_REMEMBERED_SESSIONS)
        self._faults: Faults | FaultSource = NO_FAULTS if faults is None else faults
        self._refused_logins = 0
        self._refusing: Faults | None = None
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._serving: dict[Session, threading.Thread] = {}
        self._reception = Reception(
            engine, dict(users), database, self.current_faults, self._take_login_refusal, self.sessions.append,
            replies_at_once,
        )  # fmt: skip

    @property
    def faults(self) -> Faults | FaultSource:
        """What the server does wrong, or where it looks that up."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults | FaultSource | None) -> None:
        self._faults = NO_FAULTS if faults is None else faults

    def current_faults(self) -> Faults:
        """Return the faults in force."""
        source = self._faults
        return source if isinstance(source, Faults) else source.current()

    def start(self) -> None:
        """Bind and serve; raises OSError when the port is taken."""
        listener = socket.create_server((self.host, self.port), backlog=64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), name="tds-accept", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Stop listening and end every connection; returns when their threads have ended."""
        if self._listener is None:
            return
        # shutdown wakes the accept that close alone would leave waiting
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        if self._acceptor is not None:
            self._acceptor.join()
        with self._lock:
            serving = dict(self._serving)
        for session in serving:
            session.stop()
        for thread in serving.values():
            thread.join(timeout=5)

    def __enter__(self) -> StandInServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # stopped
            session = Session(connection, self._reception)
            thread = threading.Thread(target=self._serve, args=(session,), name="tds-session", daemon=True)
            with self._lock:
                self._serving[session] = thread
            thread.start()

    def _serve(self, session: Session) -> None:
        try:
            session.serve()
        finally:
            with self._lock:
                del self._serving[session]

    def _take_login_refusal(self) -> bool:
        faults = self.current_faults()
        with self._lock:
            if faults != self._refusing:
                self._refusing, self._refused_logins = faults, 0
            if not faults.refuse_logins and self._refused_logins >= faults.refuse_first_logins:
                return False
            self._refused_logins += 1
            return True

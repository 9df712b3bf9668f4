"""A server that says byte for byte what it was told to: a recorded conversation, a changed one, or no sense at all."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sandbox.tds import packets, tokens
from sandbox.tds.packets import ATTENTION, END_OF_MESSAGE, LOGIN7, PRELOGIN, TABULAR_RESULT, ClientGoneError

Reply = bytes | Callable[[socket.socket], None]
# What a server once answered, by what it was asked (the text of a batch, or `PRELOGIN`, `LOGIN7`).
Conversation = dict[str, bytes]

_PACKET_SIZE = 4096


class RawServer:
    """Repeats a conversation with every client, but with some answers changed.

    A changed answer is sent as it is; one that is a function writes to the connection itself, for as long as it likes.
    A client that then waits for more is hung up on after `patience_s`, as is one that asks something new. ATTENTION is
    acknowledged as the specification wants it.
    """

    def __init__(self, conversation: Conversation, changed: Mapping[str, Reply], *, patience_s: float = 0.05) -> None:
        self._answers = {asked: make_packets(payload) for asked, payload in conversation.items()}
        self._changed = changed
        self._patience_s = patience_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> RawServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(timeout=10)
        self._listener.close()
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # at the end
            while True:
                connection, _ = self._listener.accept()
                self._connections.add(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, KeyError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                request = packets.read_message(connection)
                connection.settimeout(None)
                if request.kind == ATTENTION:
                    connection.sendall(make_packet(tokens.done(tokens.DONE_ATTENTION)))
                    continue
                asked = _name(request)
                if asked not in self._changed:
                    connection.sendall(self._answers[asked])
                    continue
                answer = self._changed[asked]
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
                connection.settimeout(self._patience_s)
        self._connections.discard(connection)


def make_packet(payload: bytes, *, kind: int = TABULAR_RESULT, status: int = END_OF_MESSAGE) -> bytes:
    """Return one packet, complete in itself unless told otherwise."""
    return struct.pack(">BBHHBB", kind, status, 8 + len(payload), 0, 1, 0) + payload


def make_packets(payload: bytes) -> bytes:
    """Return a whole message."""
    room = _PACKET_SIZE - 8
    parts = [payload[start : start + room] for start in range(0, len(payload), room)] or [b""]
    return b"".join(make_packet(part, status=0) for part in parts[:-1]) + make_packet(parts[-1])


@contextmanager
def recording(port: int) -> Iterator[tuple[int, Conversation]]:
    """Yield the port of a relay to the server at `port`, and what that answers to the relay's clients."""
    conversation: Conversation = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_relay, args=(listener, port, conversation), daemon=True)
        thread.start()
        yield listener.getsockname()[1], conversation
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def _relay(listener: socket.socket, port: int, conversation: Conversation) -> None:
    """Serve one client after the other until the listener ends."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as server, contextlib.suppress(ClientGoneError):
                while True:
                    request = packets.read_message(client)
                    server.sendall(make_packet(request.payload, kind=request.kind))
                    payload = packets.read_message(server).payload
                    if request.kind != ATTENTION:
                        conversation[_name(request)] = payload
                    client.sendall(make_packets(payload))


def _name(request: packets.Message) -> str:
    names = {PRELOGIN: "PRELOGIN", LOGIN7: "LOGIN7"}
    return names.get(request.kind) or packets.parse_batch(request.payload)

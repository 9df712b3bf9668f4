"""A bare TDS client, for what a driver would hide."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from sandbox.tds import packets, tokens
from sandbox.tds.client_messages import BATCH_HEADERS, build_login
from sandbox.tds.packets import PRELOGIN, SQL_BATCH, TDS_7_4

PASSWORD = "pässwörd 1"
Connect = Callable[..., Any]


@dataclass(frozen=True)
class Done:
    status: int
    rows: int

    @property
    def acknowledges_attention(self) -> bool:
        return bool(self.status & tokens.DONE_ATTENTION)

    @property
    def failed(self) -> bool:
        return bool(self.status & tokens.DONE_ERROR)

    @property
    def in_transaction(self) -> bool:
        return bool(self.status & tokens.DONE_IN_TRANSACTION)


class BareClient:
    def __init__(
        self, port: int, *, database: str = "ERP", tds_version: int = TDS_7_4, encryption: bool = False
    ) -> None:
        """Log in, or leave off where TLS is to begin."""
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        if encryption:
            self.send(PRELOGIN, b"\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff" + bytes(6) + b"\x01")
            self.prelogin_reply = self.read_reply()
            return
        self.send(PRELOGIN, b"\x00\x00\x06\x00\x06\xff" + bytes(6))
        self.prelogin_reply = self.read_reply()
        self.send(packets.LOGIN7, build_login("sa", PASSWORD, database, tds_version))
        self.login_reply = self.read_reply()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, kind: int, payload: bytes, status: int = packets.END_OF_MESSAGE) -> None:
        self._connection.sendall(struct.pack(">BBHHBB", kind, status, 8 + len(payload), 0, 1, 0) + payload)

    def send_batch(self, text: str, status: int = packets.END_OF_MESSAGE) -> None:
        self.send(SQL_BATCH, BATCH_HEADERS + text.encode("utf-16-le"), status)

    def send_transaction_request(self, kind: int) -> None:
        self.send(packets.TRANSACTION_MANAGER, BATCH_HEADERS + struct.pack("<H", kind) + b"\x00\x00")

    def send_attention(self) -> None:
        self.send(packets.ATTENTION, b"")

    def read_reply(self) -> bytes:
        """Return one whole reply; raises ClientGoneError when the server closes before its end."""
        return packets.read_message(self._connection).payload

    def read_some(self) -> None:
        """Wait until something has come, and leave it there."""
        assert self._connection.recv(1, socket.MSG_PEEK)

    def read_payload_to_end(self) -> bytes:
        """Return what the packets carry until the server closes the connection."""
        received = b""
        while part := self._connection.recv(65_536):
            received += part
        payload = b""
        while received:
            length = int.from_bytes(received[2:4])
            payload += received[8:length]
            received = received[length:]
        return payload


def last_done(reply: bytes) -> Done:
    token, status, _, rows = struct.unpack("<BHHQ", reply[-13:])
    assert token == 0xFD
    return Done(status, rows)

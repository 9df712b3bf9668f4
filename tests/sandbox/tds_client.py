"""A bare TDS client, for what a driver would hide."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from sandbox.tds import packets, tokens
from sandbox.tds.packets import PRELOGIN, SQL_BATCH, TDS_7_4

PASSWORD = "pässwörd 1"
Connect = Callable[..., Any]

_HEADERS = struct.pack("<IIHQI", 22, 18, 2, 0, 1)


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
        self.send(packets.LOGIN7, _build_login("sa", PASSWORD, database, tds_version))
        self.login_reply = self.read_reply()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, kind: int, payload: bytes, status: int = packets.END_OF_MESSAGE) -> None:
        self._connection.sendall(struct.pack(">BBHHBB", kind, status, 8 + len(payload), 0, 1, 0) + payload)

    def send_batch(self, text: str, status: int = packets.END_OF_MESSAGE) -> None:
        self.send(SQL_BATCH, _HEADERS + text.encode("utf-16-le"), status)

    def send_transaction_request(self, kind: int) -> None:
        self.send(packets.TRANSACTION_MANAGER, _HEADERS + struct.pack("<H", kind) + b"\x00\x00")

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


def _build_login(user: str, password: str, database: str, tds_version: int) -> bytes:
    hidden = bytes(((byte << 4 | byte >> 4) & 0xFF) ^ 0xA5 for byte in password.encode("utf-16-le"))
    values = ["host", user, hidden, "bare client", "server", "", "", "", database]
    fixed = struct.pack("<IIIIII4BiI", 0, tds_version, 4096, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    data, table = b"", b""
    offset = len(fixed) + 4 * 9 + 6 + 4 * 3 + 4
    for value in values:
        raw = value.encode("utf-16-le") if isinstance(value, str) else value
        table += struct.pack("<HH", offset + len(data), len(raw) // 2)
        data += raw
    table += bytes(6) + bytes(12) + bytes(4)
    return fixed + table + data

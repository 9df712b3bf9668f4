"""What the stand-in delivers alone: a socket that asks for the rows and drops them unread.

`python -m bench.rows.wire_reader PORT QUERY on|off` prints the seconds, with or without encryption.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable

from bench.rows.stand_in import DATABASE, PASSWORD, USER
from sandbox.ports import HOST
from sandbox.tds import packets
from sandbox.tds.client_messages import BATCH_HEADERS, build_login

_AT_ONCE = 256 * 1024
# VERSION, ENCRYPTION (2: not supported, 1: on) and the terminator ([MS-TDS] 2.2.6.5).
_PRELOGIN = b"\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff" + bytes(6)


class _Connection:
    """One connection, in TLS or not."""

    def __init__(self, port: int, encrypted: bool) -> None:
        self._socket = socket.create_connection((HOST, port))
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self.send(packets.PRELOGIN, _PRELOGIN + bytes((1 if encrypted else 2,)))
        packets.read_message(self._socket)
        if encrypted:
            self._tls = self._shake_hands()

    def send(self, kind: int, payload: bytes) -> None:
        """Send a message of one packet."""
        packet = packets.frame_packet(payload, kind)
        if self._tls is not None:
            self._tls.write(packet)
            packet = self._outgoing.read()
        self._socket.sendall(packet)

    def drop_reply(self) -> int:
        """Read to the end of a reply and return its bytes."""
        total, needed, ended, header = 0, 0, False, b""
        while not (ended and not needed):
            data = self._receive()
            total += len(data)
            position = 0
            while position < len(data):
                if needed:
                    step = min(needed, len(data) - position)
                    needed -= step
                    position += step
                    continue
                step = 8 - len(header)
                header += data[position : position + step]
                position += step
                if len(header) == 8:
                    _, status, length = struct.unpack_from(">BBH", header)
                    needed, ended, header = length - 8, bool(status & packets.END_OF_MESSAGE), b""
        return total

    def _receive(self) -> bytes:
        if self._tls is None:
            return self._socket.recv(_AT_ONCE)
        while True:
            try:
                return self._tls.read(_AT_ONCE)
            except ssl.SSLWantReadError:
                self._incoming.write(self._socket.recv(_AT_ONCE))

    def _shake_hands(self) -> ssl.SSLObject:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        tls = context.wrap_bio(self._incoming, self._outgoing)
        while not self._step(tls.do_handshake):
            self._incoming.write(packets.read_message(self._socket).payload)
        return tls

    def _step(self, shake: Callable[[], None]) -> bool:
        try:
            shake()
        except ssl.SSLWantReadError:
            self._socket.sendall(packets.frame_packet(self._outgoing.read(), packets.PRELOGIN))
            return False
        return True


def main(port: str, query: str, encryption: str) -> None:
    """Read and drop."""
    connection = _Connection(int(port), encryption == "on")
    connection.send(packets.LOGIN7, build_login(USER, PASSWORD, DATABASE, packets.TDS_7_4))
    connection.drop_reply()
    began = time.monotonic()
    connection.send(packets.SQL_BATCH, BATCH_HEADERS + query.encode("utf-16-le"))
    connection.drop_reply()
    print(time.monotonic() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""TDS packets, the messages they make up, and the two messages that open a connection.

Formats: [MS-TDS] 2.2.3.1 "Packet Header", 2.2.6.5 "PRELOGIN", 2.2.6.4 "LOGIN7".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Protocol

SQL_BATCH: Final = 0x01
RPC: Final = 0x03
TABULAR_RESULT: Final = 0x04
ATTENTION: Final = 0x06
TRANSACTION_MANAGER: Final = 0x0E
LOGIN7: Final = 0x10
PRELOGIN: Final = 0x12

END_OF_MESSAGE: Final = 0x01
_RESET_CONNECTION = 0x08 | 0x10
_HEADER = struct.Struct(">BBHHBB")
_LARGEST_MESSAGE = 64 * 1024 * 1024
# What a socket takes without anybody reading.
_HELD_BYTES = 1024 * 1024

TDS_7_4: Final = 0x74000004
TDS_7_3: Final = 0x730A0003
DEFAULT_PACKET_SIZE: Final = 4096

_ENCRYPT_ON, _ENCRYPT_NOT_SUPPORTED = 1, 2
_LOGIN_FIELDS = (
    "host", "user", "password", "application", "server", "extension", "library", "language", "database",
)  # fmt: skip
_LOGIN_FIXED_BYTES = 36


class ProtocolError(Exception):
    """Bytes from the client that are not TDS as the specification has it."""


class ClientGoneError(ConnectionError):
    """The client closed the connection."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message of the client."""

    kind: int
    payload: bytes
    reset_connection: bool


@dataclass(frozen=True, slots=True)
class Login:
    """What LOGIN7 says about the client; `tds_version` is as in 0x74000004, `packet_size` in bytes."""

    user: str
    password: str
    database: str
    application: str
    host: str
    library: str
    tds_version: int
    packet_size: int


class Readable(Protocol):
    """A socket, or what decrypts one."""

    def recv(self, size: int, /) -> bytes:
        """Return at least one byte, or none at the end."""


class Writable(Protocol):
    """A socket, or what encrypts for one."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""


def read_message(connection: Readable) -> Message:
    """Return the client's next message; raises ClientGoneError at its end and ProtocolError on a bad header."""
    payload = bytearray()
    while True:
        kind, status, length, _, _, _ = _HEADER.unpack(_read_exactly(connection, _HEADER.size))
        if length < _HEADER.size or len(payload) + length > _LARGEST_MESSAGE:
            raise ProtocolError(
                f"expected packets of at least 8 bytes and messages up to {_LARGEST_MESSAGE}, found {length}"
            )
        payload += _read_exactly(connection, length - _HEADER.size)
        if status & END_OF_MESSAGE:
            return Message(kind, bytes(payload), bool(status & _RESET_CONNECTION))


def _read_exactly(connection: Readable, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        try:
            part = connection.recv(size - len(data))
        except OSError as error:
            raise ClientGoneError(f"the connection broke while reading: {error}") from error
        if not part:
            raise ClientGoneError("the client closed the connection")
        data += part
    return bytes(data)


def frame_packet(payload: bytes, kind: int) -> bytes:
    """Return a message of one packet."""
    return _HEADER.pack(kind, END_OF_MESSAGE, _HEADER.size + len(payload), 0, 0, 0) + payload


class PacketWriter:
    """Writes one reply after the other as TABULAR_RESULT packets.

    A packet leaves as soon as it is full; with `at_once`, when the reply ends or pauses, together with the others.
    """

    def __init__(self, connection: Writable, packet_size: int = DEFAULT_PACKET_SIZE, *, at_once: bool = False) -> None:
        self.packet_size = packet_size
        self._connection = connection
        self._pending = bytearray()
        self._packet_id = 0
        self._at_once = at_once
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Append to the reply; raises ClientGoneError when the client no longer takes it."""
        self._pending += data
        room = self.packet_size - _HEADER.size
        # The last packet must carry END_OF_MESSAGE, so a full buffer waits for one byte more.
        while len(self._pending) > room:
            self._send(bytes(self._pending[:room]), 0)
            del self._pending[:room]

    def flush(self) -> None:
        """Send what is pending without ending the reply."""
        if self._pending:
            self._send(bytes(self._pending), 0)
            self._pending.clear()
        self._let_go()

    def end_message(self) -> None:
        """Send what is pending as the reply's last packet."""
        self._send(bytes(self._pending), END_OF_MESSAGE)
        self._pending.clear()
        self._packet_id = 0
        self._let_go()

    def _send(self, data: bytes, status: int) -> None:
        self._packet_id = (self._packet_id + 1) % 256
        self._held += _HEADER.pack(TABULAR_RESULT, status, _HEADER.size + len(data), 0, self._packet_id, 0) + data
        if not self._at_once or len(self._held) > _HELD_BYTES:
            self._let_go()

    def _let_go(self) -> None:
        packets, self._held = bytes(self._held), bytearray()
        try:
            if packets:
                self._connection.sendall(packets)
        except OSError as error:
            raise ClientGoneError(f"the connection broke while writing: {error}") from error


def build_prelogin(version: tuple[int, int, int], encrypts: bool = False) -> bytes:
    """Return the reply to PRELOGIN: our version, all encrypted or nothing, no MARS."""
    major, minor, build = version
    options = [
        (0, struct.pack(">BBHH", major, minor, build, 0)),
        (1, bytes((_ENCRYPT_ON if encrypts else _ENCRYPT_NOT_SUPPORTED,))),
        (2, b"\x00"),
        (3, b""),
        (4, b"\x00"),
    ]
    offset = 5 * len(options) + 1
    table, data = b"", b""
    for token, value in options:
        table += struct.pack(">BHH", token, offset + len(data), len(value))
        data += value
    return table + b"\xff" + data


def parse_login(payload: bytes) -> Login:
    """Return the fields of LOGIN7; raises ProtocolError when offsets point outside the message."""
    try:
        _, tds_version, packet_size = struct.unpack_from("<III", payload)
        fields = {}
        for index, name in enumerate(_LOGIN_FIELDS):
            offset, characters = struct.unpack_from("<HH", payload, _LOGIN_FIXED_BYTES + 4 * index)
            raw = payload[offset : offset + 2 * characters]
            if name != "extension" and len(raw) != 2 * characters:
                raise ProtocolError(f"expected {name} of LOGIN7 inside its {len(payload)} bytes, found {offset}")
            fields[name] = raw
    except struct.error as error:
        raise ProtocolError(f"expected a LOGIN7 message, found {len(payload)} bytes: {error}") from error

    def text(name: str) -> str:
        return fields[name].decode("utf-16-le", "replace")

    return Login(
        user=text("user"),
        password=_reveal(fields["password"]).decode("utf-16-le", "replace"),
        database=text("database"),
        application=text("application"),
        host=text("host"),
        library=text("library"),
        tds_version=tds_version,
        packet_size=packet_size,
    )


def _reveal(hidden: bytes) -> bytes:
    """Undo LOGIN7's hiding of the password: XOR with 0xA5, then swap the halves of each byte."""
    return bytes(((byte ^ 0xA5) >> 4) | (((byte ^ 0xA5) & 0x0F) << 4) for byte in hidden)


def parse_batch(payload: bytes) -> str:
    """Return the text of an SQL batch, its ALL_HEADERS dropped ([MS-TDS] 2.2.5.3, 2.2.6.7)."""
    return skip_headers(payload).decode("utf-16-le", "surrogatepass")


def skip_headers(payload: bytes) -> bytes:
    """Return a request without the ALL_HEADERS that TDS 7.2 put before it."""
    if len(payload) < 4:
        raise ProtocolError(f"expected ALL_HEADERS before the request, found {len(payload)} bytes")
    (length,) = struct.unpack_from("<I", payload)
    if not 4 <= length <= len(payload):
        raise ProtocolError(f"expected ALL_HEADERS within {len(payload)} bytes, found a length of {length}")
    return payload[length:]

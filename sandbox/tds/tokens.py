"""Tokens of a server's reply ([MS-TDS] 2.2.7 "Packet Data Token Stream Definition"). Each function returns bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from sandbox.tds.collations import Collation
from sandbox.tds.engine import Column, ServerMessage

DONE_MORE: Final = 0x001
DONE_ERROR: Final = 0x002
DONE_IN_TRANSACTION: Final = 0x004
DONE_COUNT: Final = 0x010
DONE_ATTENTION: Final = 0x020

_ENV_DATABASE = 1
_ENV_LANGUAGE = 2
_ENV_PACKET_SIZE = 4
_ENV_COLLATION = 7
_ENV_BEGIN = 8
_ENV_COMMIT = 9
_ENV_ROLLBACK = 10
_ENV_RESET = 18
_LARGEST_INFORMATION_SEVERITY = 10
_LONGEST_MESSAGE = 4000


def column_metadata(columns: Sequence[Column]) -> bytes:
    """COLMETADATA (2.2.7.4): what the rows that follow look like."""
    parts = [struct.pack("<BH", 0x81, len(columns))]
    for column in columns:
        flags = 0x0001 if column.nullable else 0x0000
        parts.append(struct.pack("<IH", column.type.user_type, flags))
        parts.append(column.type.type_info(column.nullable))
        parts.append(_short_text(column.name))
    return b"".join(parts)


def done(status: int = 0, rows: int | None = None, command: int = 0) -> bytes:
    """DONE (2.2.7.6); rows, when told, sets DONE_COUNT."""
    if rows is not None:
        status |= DONE_COUNT
    return struct.pack("<BHHQ", 0xFD, status, command, rows or 0)


def message(server_message: ServerMessage, server_name: str) -> bytes:
    """ERROR (2.2.7.10), or INFO (2.2.7.13) for a severity up to 10."""
    token = 0xAB if server_message.severity <= _LARGEST_INFORMATION_SEVERITY else 0xAA
    body = (
        struct.pack("<iBB", server_message.number, server_message.state, server_message.severity)
        + _long_text(server_message.text[:_LONGEST_MESSAGE])
        + _short_text(server_name)
        + _short_text("")
        + struct.pack("<I", server_message.line)
    )
    return struct.pack("<BH", token, len(body)) + body


def login_acknowledgement(program: str, version: tuple[int, int, int], tds_version: int) -> bytes:
    """LOGINACK (2.2.7.14): the T-SQL interface, our name and version."""
    major, minor, build = version
    body = b"\x01" + struct.pack(">I", tds_version) + _short_text(program) + struct.pack(">BBH", major, minor, build)
    return struct.pack("<BH", 0xAD, len(body)) + body


def database_change(new: str, old: str) -> bytes:
    """ENVCHANGE type 1 (2.2.7.9)."""
    return _environment_change(_ENV_DATABASE, _short_text(new) + _short_text(old))


def language_change(new: str) -> bytes:
    """ENVCHANGE type 2."""
    return _environment_change(_ENV_LANGUAGE, _short_text(new) + _short_text(""))


def packet_size_change(new: int, old: int) -> bytes:
    """ENVCHANGE type 4."""
    return _environment_change(_ENV_PACKET_SIZE, _short_text(str(new)) + _short_text(str(old)))


def collation_change(collation: Collation) -> bytes:
    """ENVCHANGE type 7; some drivers refuse a login without it."""
    return _environment_change(_ENV_COLLATION, _short_bytes(collation.to_bytes()) + b"\x00")


def transaction_begun(descriptor: int) -> bytes:
    """ENVCHANGE type 8."""
    return _environment_change(_ENV_BEGIN, _short_bytes(struct.pack("<Q", descriptor)) + b"\x00")


def transaction_ended(descriptor: int, committed: bool) -> bytes:
    """ENVCHANGE type 9 or 10."""
    kind = _ENV_COMMIT if committed else _ENV_ROLLBACK
    return _environment_change(kind, b"\x00" + _short_bytes(struct.pack("<Q", descriptor)))


def connection_reset() -> bytes:
    """ENVCHANGE type 18, the acknowledgement of a reset connection."""
    return _environment_change(_ENV_RESET, b"\x00\x00")


def _environment_change(kind: int, values: bytes) -> bytes:
    return struct.pack("<BHB", 0xE3, 1 + len(values), kind) + values


def _short_bytes(value: bytes) -> bytes:
    return bytes((len(value),)) + value


def _short_text(text: str) -> bytes:
    encoded = text.encode("utf-16-le", "surrogatepass")[:510]
    return bytes((len(encoded) // 2,)) + encoded


def _long_text(text: str) -> bytes:
    encoded = text.encode("utf-16-le", "surrogatepass")
    return struct.pack("<H", len(encoded) // 2) + encoded

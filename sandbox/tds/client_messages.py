"""What a client says: for tests, and for who reads rows faster than any driver does.

Formats: [MS-TDS] 2.2.6.4 "LOGIN7", 2.2.5.3 "Packet Data Stream Headers".
"""

from __future__ import annotations

import struct
from typing import Final

BATCH_HEADERS: Final = struct.pack("<IIHQI", 22, 18, 2, 0, 1)
"""The ALL_HEADERS before the text of an SQL batch, outside of a transaction."""


def build_login(user: str, password: str, database: str, tds_version: int) -> bytes:
    """Return a LOGIN7 message that asks for packets of 4096 bytes."""
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

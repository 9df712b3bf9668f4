"""Collations of character columns: five bytes on the wire, a code page for char, varchar and text."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_IGNORE_CASE = 1 << 20
_IGNORE_KANA = 1 << 22
_IGNORE_WIDTH = 1 << 23
_UTF8 = 1 << 26
_CI_AS = _IGNORE_CASE | _IGNORE_KANA | _IGNORE_WIDTH
_VERSION_100 = 2 << 28


@dataclass(frozen=True, slots=True)
class Collation:
    """A collation as [MS-TDS] 2.2.5.1.2 "Collation Rule Definition" lays it out.

    `info` is the 32-bit LCID, ColFlags and Version; `sort_id` is 0 for Windows collations; `codec` is the Python
    name of the code page that non-Unicode columns use.
    """

    name: str
    info: int
    sort_id: int
    codec: str

    def to_bytes(self) -> bytes:
        """Return the five bytes that COLMETADATA and ENVCHANGE carry."""
        return struct.pack("<IB", self.info, self.sort_id)

    def encode(self, text: str) -> bytes:
        """Return text in the code page; what it lacks becomes '?', as SQL Server stores it."""
        return text.encode(self.codec, "replace")


TURKISH = Collation("Turkish_CI_AS", 0x041F | _CI_AS, 0, "cp1254")
LATIN1 = Collation("SQL_Latin1_General_CP1_CI_AS", 0x0409 | _CI_AS, 52, "cp1252")
UTF8 = Collation("Latin1_General_100_CI_AS_SC_UTF8", 0x0409 | _CI_AS | _UTF8 | _VERSION_100, 0, "utf-8")

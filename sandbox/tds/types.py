"""SQL Server column types: their T-SQL spelling and their TYPE_INFO on the wire.

Format: [MS-TDS] 2.2.5.4 "Data Type Definitions" and 2.2.5.6 "TYPE_INFO". The values are in `encoders`.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from typing import Final

from sandbox.tds.collations import TURKISH, Collation

MAX: Final = -1
"""Length of the (max) types."""

# name: (type when NOT NULL, type when nullable, bytes of a value)
FIXED_LENGTH: Final[dict[str, tuple[int, int, int]]] = {
    "bit": (0x32, 0x68, 1),
    "tinyint": (0x30, 0x26, 1),
    "smallint": (0x34, 0x26, 2),
    "int": (0x38, 0x26, 4),
    "bigint": (0x7F, 0x26, 8),
    "real": (0x3B, 0x6D, 4),
    "float": (0x3E, 0x6D, 8),
    "smallmoney": (0x7A, 0x6E, 4),
    "money": (0x3C, 0x6E, 8),
    "smalldatetime": (0x3A, 0x6F, 4),
    "datetime": (0x3D, 0x6F, 8),
}
SCALED_TIMES: Final = {"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}
DECIMALS: Final = {"decimal": 0x6A, "numeric": 0x6C}
NARROW_TEXT: Final = {"char": 0xAF, "varchar": 0xA7}
WIDE_TEXT: Final = {"nchar": 0xEF, "nvarchar": 0xE7}
BINARIES: Final = {"binary": 0xAD, "varbinary": 0xA5}
LARGE_OBJECTS: Final = {"text": 0x23, "ntext": 0x63, "image": 0x22}
_ROWVERSION_USER_TYPE = 0x50

_ALIASES = {
    "integer": "int",
    "dec": "decimal",
    "character": "char",
    "timestamp": "rowversion",
    "sysname": "nvarchar(128)",
    "double precision": "float",
    "national character varying": "nvarchar",
    "character varying": "varchar",
}
_SPELLING = re.compile(
    r"\s*\[?(?P<name>[a-z][a-z0-9 ]*?)\]?\s*"
    r"(?:\(\s*(?P<first>\d+|max)\s*(?:,\s*(?P<second>\d+)\s*)?\))?\s*",
    re.IGNORECASE,
)


class UnknownTypeError(ValueError):
    """A type name that SQL Server, or this stand-in, does not have."""


@dataclass(frozen=True, slots=True)
class SqlType:
    """A SQL Server type.

    `length` counts characters (bytes for binary types and non-Unicode text) and is `MAX` for the (max) types;
    `precision` and `scale` belong to decimals, `scale` alone to time, datetime2 and datetimeoffset.
    """

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    collation: Collation = TURKISH

    @classmethod
    def parse(cls, spelling: str, collation: Collation = TURKISH) -> SqlType:
        """Return the type that T-SQL spells this way, such as `decimal(18, 4)` or `nvarchar(max)`.

        Left-out lengths and scales are those of a T-SQL column definition: `varchar` is one character, `decimal`
        is (18, 0), `datetime2` has seven digits. Raises UnknownTypeError.
        """
        match = _SPELLING.fullmatch(spelling)
        if match is None:
            raise UnknownTypeError(f"expected a T-SQL type such as 'decimal(18, 4)', found {spelling!r}")
        name = match["name"].lower()
        first, second = _length(match["first"]), _length(match["second"])
        alias = _ALIASES.get(name)
        if alias is not None and "(" in alias:
            return cls.parse(alias, collation)
        return replace(_build(alias or name, first, second, spelling), collation=collation)

    def __str__(self) -> str:
        if self.precision is not None:
            return f"{self.name}({self.precision}, {self.scale})"
        if self.name in SCALED_TIMES:
            return f"{self.name}({self.scale})"
        if self.length is None:
            return self.name
        return f"{self.name}({'max' if self.length == MAX else self.length})"

    @property
    def is_text(self) -> bool:
        """Whether values are character strings."""
        return self.name in NARROW_TEXT or self.name in WIDE_TEXT or self.name in {"text", "ntext"}

    @property
    def user_type(self) -> int:
        """Return the UserType of COLMETADATA; only rowversion has one that matters."""
        return _ROWVERSION_USER_TYPE if self.name == "rowversion" else 0

    def type_info(self, nullable: bool) -> bytes:
        """Return TYPE_INFO as COLMETADATA carries it, the empty table name of a large object included."""
        name = self.name
        if name in FIXED_LENGTH:
            not_null, with_null, size = FIXED_LENGTH[name]
            return bytes((with_null, size)) if nullable else bytes((not_null,))
        if name in DECIMALS:
            precision = self.precision or 18
            return bytes((DECIMALS[name], 1 + decimal_bytes(precision), precision, self.scale or 0))
        if name == "date":
            return b"\x28"
        if name in SCALED_TIMES:
            return bytes((SCALED_TIMES[name], 7 if self.scale is None else self.scale))
        if name == "uniqueidentifier":
            return b"\x24\x10"
        if name == "rowversion":
            return struct.pack("<BH", BINARIES["binary"], 8)
        if name in BINARIES:
            return struct.pack("<BH", BINARIES[name], self._wire_length(1))
        if name in NARROW_TEXT:
            return struct.pack("<BH", NARROW_TEXT[name], self._wire_length(1)) + self.collation.to_bytes()
        if name in WIDE_TEXT:
            return struct.pack("<BH", WIDE_TEXT[name], self._wire_length(2)) + self.collation.to_bytes()
        collation = b"" if name == "image" else self.collation.to_bytes()
        limit = 0x7FFFFFFE if name == "ntext" else 0x7FFFFFFF
        no_table_name = b"\x00"
        return struct.pack("<BI", LARGE_OBJECTS[name], limit) + collation + no_table_name

    def _wire_length(self, bytes_per_character: int) -> int:
        length = 1 if self.length is None else self.length
        return 0xFFFF if length == MAX else length * bytes_per_character


def decimal_bytes(precision: int) -> int:
    """Return how many bytes the magnitude of a decimal of this precision takes ([MS-TDS] 2.2.5.5.1.6)."""
    return 4 if precision <= 9 else 8 if precision <= 19 else 12 if precision <= 28 else 16


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    return MAX if text.lower() == "max" else int(text)


def _build(name: str, first: int | None, second: int | None, spelling: str) -> SqlType:
    if name in DECIMALS:
        precision, scale = first or 18, second or 0
        if not 1 <= precision <= 38 or scale > precision:
            raise UnknownTypeError(f"expected a precision of 1 to 38 and a scale up to it, found {spelling!r}")
        return SqlType(name, precision=precision, scale=scale)
    if name in SCALED_TIMES:
        scale = 7 if first is None else first
        if scale > 7:
            raise UnknownTypeError(f"expected 0 to 7 fractional digits, found {spelling!r}")
        return SqlType(name, scale=scale)
    if name in NARROW_TEXT or name in WIDE_TEXT or name in BINARIES:
        limit = 4000 if name in WIDE_TEXT else 8000
        length = first or 1
        if length == MAX and name.startswith(("char", "nchar", "binary")):
            raise UnknownTypeError(f"expected a number for the length of {name}, found {spelling!r}")
        if length > limit:
            raise UnknownTypeError(f"expected a length up to {limit}, or max, found {spelling!r}")
        return SqlType(name, length=length)
    if name == "float" and first is not None:
        return SqlType("real" if first <= 24 else "float")
    if name in FIXED_LENGTH or name in LARGE_OBJECTS or name in {"date", "uniqueidentifier", "rowversion"}:
        if first is not None:
            raise UnknownTypeError(f"expected {name} without a length, found {spelling!r}")
        return SqlType(name)
    raise UnknownTypeError(f"expected a SQL Server type that the stand-in knows, found {spelling!r}")

"""Values as ROW tokens carry them, one pre-built encoder per column.

Format: [MS-TDS] 2.2.5.5 "Data Type Dependent Data Streams". An encoder takes a Python value and returns its bytes,
length prefix included; it raises EncodingError for a value that the column's type cannot hold.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from itertools import repeat
from typing import Final

from sandbox.tds import moments
from sandbox.tds.types import DECIMALS, FIXED_LENGTH, LARGE_OBJECTS, MAX, SCALED_TIMES, SqlType, decimal_bytes

Encoder = Callable[[object], bytes]

ROW_TOKEN: Final = b"\xd1"
_CACHED_VALUES = 16_384
_CACHED_BYTES = 256
_DECIMALS = Context(prec=120, rounding=ROUND_HALF_UP)
_NULL_USHORT = b"\xff\xff"
_NULL_PLP = b"\xff" * 8
_TEXT_POINTER = b"\x10" + b"stand-in pointer" + b"\x00" * 8
# Equal values that are not encoded alike (0.0 and -0.0, one instant at two offsets) must not share a cache entry;
# binary values may be unhashable.
_UNCACHED = {"real", "float", "datetimeoffset", "binary", "varbinary", "image", "rowversion"}
_INTEGERS = {"tinyint": "<B", "smallint": "<h", "int": "<i", "bigint": "<q"}


class EncodingError(ValueError):
    """A value that the declared column type cannot hold."""


class _Cache(dict[object, bytes]):
    """Encoded values by value: ERP rows repeat currencies, dates, codes and statuses endlessly."""

    def __init__(self, encode: Encoder) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: object) -> bytes:
        encoded = self._encode(value)
        if len(encoded) <= _CACHED_BYTES:
            if len(self) >= _CACHED_VALUES:
                self.clear()
            self[value] = encoded
        return encoded


class RowEncoder:
    """Encodes rows of one result set; rows are sequences in column order."""

    def __init__(self, types: Sequence[tuple[SqlType, bool]]) -> None:
        """Build for (type, nullable) of each column."""
        self._width = len(types)
        self._encoders = [build_encoder(sql_type, nullable) for sql_type, nullable in types]

    def encode(self, rows: Sequence[Sequence[object]]) -> list[bytes]:
        """Return one ROW token per row; raises EncodingError for a value or a width that does not fit."""
        if not rows:
            return []
        try:
            columns = list(zip(*rows, strict=True))
        except ValueError:
            columns = []
        if len(columns) != self._width:
            raise EncodingError(f"expected rows of {self._width} values, found {sorted({len(row) for row in rows})}")
        encoded = [list(map(encode, column)) for encode, column in zip(self._encoders, columns, strict=True)]
        return list(map(b"".join, zip(repeat(ROW_TOKEN, len(rows)), *encoded, strict=True)))


def build_encoder(sql_type: SqlType, nullable: bool) -> Encoder:
    """Return the encoder of a column; None in a column that is not nullable is an EncodingError."""
    encode, null = _payload_encoder(sql_type, nullable)

    def encode_value(value: object) -> bytes:
        if value is None:
            if not nullable:
                raise EncodingError(f"expected a value in a NOT NULL column of type {sql_type}, found NULL")
            return null
        try:
            return encode(value)
        except EncodingError:
            raise
        except (struct.error, ValueError, TypeError, ArithmeticError) as error:
            raise EncodingError(f"expected a value for {sql_type}, found {value!r}: {error}") from error

    return encode_value if sql_type.name in _UNCACHED else _Cache(encode_value).__getitem__


def _payload_encoder(sql_type: SqlType, nullable: bool) -> tuple[Encoder, bytes]:
    name = sql_type.name
    if name in FIXED_LENGTH:
        pack = _fixed_packer(name)
        if not nullable:
            return pack, b""
        prefix = bytes((FIXED_LENGTH[name][2],))
        return (lambda value: prefix + pack(value)), b"\x00"
    if name in DECIMALS:
        return _decimal_encoder(sql_type.precision or 18, sql_type.scale or 0), b"\x00"
    if name == "date":
        return (lambda value: b"\x03" + moments.parse(value).date_bytes()), b"\x00"
    if name in SCALED_TIMES:
        return _time_encoder(name, 7 if sql_type.scale is None else sql_type.scale), b"\x00"
    if name == "uniqueidentifier":
        return _encode_guid, b"\x00"
    if name in LARGE_OBJECTS:
        convert = _byte_converter(sql_type)
        return (lambda value: _TEXT_POINTER + _with_length("<I", convert(value))), b"\x00"
    if sql_type.length == MAX:
        convert = _byte_converter(sql_type)
        return (lambda value: _encode_plp(convert(value))), _NULL_PLP
    return _short_encoder(sql_type), _NULL_USHORT


def _fixed_packer(name: str) -> Encoder:
    if name in _INTEGERS:
        integer = struct.Struct(_INTEGERS[name])
        return lambda value: integer.pack(int(value))  # type: ignore[call-overload]
    if name == "bit":
        return lambda value: b"\x01" if value else b"\x00"
    if name in {"real", "float"}:
        number = struct.Struct("<f" if name == "real" else "<d")
        return lambda value: number.pack(float(value))  # type: ignore[arg-type]
    if name == "smallmoney":
        return lambda value: struct.pack("<i", _scaled(value, 4))
    if name == "money":
        return _pack_money
    if name == "datetime":
        return lambda value: moments.parse(value).datetime_bytes()
    return lambda value: moments.parse(value).smalldatetime_bytes()


def _pack_money(value: object) -> bytes:
    """Pack money as its high half, then its low half ([MS-TDS] 2.2.5.5.1.2)."""
    scaled = _scaled(value, 4)
    return struct.pack("<iI", scaled >> 32, scaled & 0xFFFFFFFF)


def _scaled(value: object, scale: int) -> int:
    """Return the value times ten to the scale, rounded half away from zero as SQL Server converts."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else str(value))
    return int(number.scaleb(scale, _DECIMALS).to_integral_value(ROUND_HALF_UP, _DECIMALS))


def _decimal_encoder(precision: int, scale: int) -> Encoder:
    """Return an encoder of sign and magnitude ([MS-TDS] 2.2.5.5.1.6)."""
    size = decimal_bytes(precision)
    limit = 10**precision
    positive, negative = bytes((1 + size, 1)), bytes((1 + size, 0))

    def encode(value: object) -> bytes:
        try:
            scaled = _scaled(value, scale)
        except InvalidOperation as error:
            raise EncodingError(f"expected a number for decimal({precision}, {scale}), found {value!r}") from error
        if not -limit < scaled < limit:
            raise EncodingError(f"expected a number within decimal({precision}, {scale}), found {value!r}")
        return (negative if scaled < 0 else positive) + abs(scaled).to_bytes(size, "little")

    return encode


def _time_encoder(name: str, scale: int) -> Encoder:
    def encode(value: object) -> bytes:
        moment = moments.parse(value)
        data = (
            moment.time_bytes(scale)
            if name == "time"
            else moment.datetime2_bytes(scale)
            if name == "datetime2"
            else moment.datetimeoffset_bytes(scale)
        )
        return bytes((len(data),)) + data

    return encode


def _encode_guid(value: object) -> bytes:
    guid = value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
    return b"\x10" + guid.bytes_le


def _byte_converter(sql_type: SqlType) -> Encoder:
    if sql_type.name in {"nchar", "nvarchar", "ntext"}:
        # A lone surrogate is legal in nvarchar: SQL Server stores UCS-2 code units as they come.
        return lambda value: _text(value).encode("utf-16-le", "surrogatepass")
    if sql_type.is_text:
        return lambda value: sql_type.collation.encode(_text(value))
    return lambda value: bytes(value)  # type: ignore[call-overload]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise EncodingError(f"expected text, found {value!r}")
    return value


def _with_length(layout: str, data: bytes) -> bytes:
    return struct.pack(layout, len(data)) + data


def _encode_plp(data: bytes) -> bytes:
    """Return a partially length-prefixed value in one chunk ([MS-TDS] 2.2.5.2.3)."""
    chunk = _with_length("<I", data) if data else b""
    return struct.pack("<Q", len(data)) + chunk + b"\x00\x00\x00\x00"


def _short_encoder(sql_type: SqlType) -> Encoder:
    """Return an encoder with a two-byte length; char, nchar and binary are padded to their length."""
    convert = _byte_converter(sql_type)
    wide = sql_type.name in {"nchar", "nvarchar"}
    limit = 8 if sql_type.name == "rowversion" else (sql_type.length or 1) * (2 if wide else 1)
    padding = {"char": b" ", "nchar": b" \x00", "binary": b"\x00"}.get(sql_type.name, b"")

    def encode(value: object) -> bytes:
        data = convert(value)
        if len(data) > limit:
            raise EncodingError(f"expected at most {limit} bytes for {sql_type}, found {len(data)}: {value!r}")
        if padding and len(data) < limit:
            data += padding * ((limit - len(data)) // len(padding))
        return _with_length("<H", data)

    return encode

"""`sp_executesql` as the batch that it stands for: its parameters become variables.

Format: [MS-TDS] 2.2.6.6 "RPC Request"; the procedure's own parameters: Microsoft's "sp_executesql (Transact-SQL)".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_BY_NUMBER: Final = 0xFFFF
_EXECUTE_SQL: Final = 10
_INTEGER, _BIT, _WIDE_TEXT = 0x26, 0x68, 0xE7
_LARGE, _NULL = 0xFFFF, 0xFFFF
_PLP_NULL: Final = 0xFFFFFFFFFFFFFFFF
_REFUSED: Final = "The stand-in answers SQL batches, not remote procedure calls (parameters)"


class UnknownCallError(Exception):
    """A remote procedure call that the stand-in doesn't answer; the message is what a client is told."""


def read_batch(request: bytes) -> str:
    """Return the T-SQL of a call, a request without its ALL_HEADERS; raises UnknownCallError for any other call."""
    reader = _Reader(request)
    try:
        if not reader.names_execute_sql():
            raise UnknownCallError(f"{_REFUSED} other than sp_executesql.")
        reader.take("<H")
        statement = reader.read_parameter()
        definitions = reader.read_parameter() if reader.is_left else None
        given = []
        while reader.is_left:
            given.append(reader.read_parameter())
    except (struct.error, UnicodeDecodeError) as error:
        raise UnknownCallError(f"{_REFUSED} as this one: {error}.") from error
    variables = _declare(str(definitions.value or ""), given) if definitions else ""
    return f"{variables}{statement.value or ''}"


@dataclass(frozen=True)
class _Parameter:
    name: str
    value: str | int | None

    @property
    def literal(self) -> str:
        if self.value is None:
            return "NULL"
        return str(self.value) if isinstance(self.value, int) else "N'" + self.value.replace("'", "''") + "'"


def _declare(definitions: str, given: list[_Parameter]) -> str:
    """Return a DECLARE of the parameters, given by name or else in the order of their definitions."""
    declared = []
    for definition, parameter in zip(_split(definitions), given, strict=False):
        name, _, kind = definition.strip().partition(" ")
        value = next((each for each in given if each.name.lower() == name.lower()), parameter)
        declared.append(f"{name} {kind} = {value.literal}")
    return f"DECLARE {', '.join(declared)};\n" if declared else ""


def _split(definitions: str) -> list[str]:
    """Return what commas outside of parentheses separate."""
    parts, depth = [""], 0
    for character in definitions:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_left(self) -> bool:
        return self._position < len(self._data)

    def take(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._data, self._position)
        self._position += struct.calcsize(layout)
        return int(value)

    def names_execute_sql(self) -> bool:
        length = self.take("<H")
        if length == _BY_NUMBER:
            return self.take("<H") == _EXECUTE_SQL
        return self._read_text(2 * length).lower() == "sp_executesql"

    def read_parameter(self) -> _Parameter:
        name = self._read_text(2 * self.take("<B"))
        self.take("<B")
        kind = self.take("<B")
        if kind == _WIDE_TEXT:
            is_large = self.take("<H") == _LARGE
            self._skip(5)
            return _Parameter(name, self._read_large() if is_large else self._read_short())
        if kind in {_INTEGER, _BIT}:
            self.take("<B")
            size = self.take("<B")
            return _Parameter(
                name, int.from_bytes(self._skip(size), "little", signed=kind == _INTEGER) if size else None
            )
        raise UnknownCallError(f"{_REFUSED} with parameters of the type 0x{kind:02x}.")

    def _read_short(self) -> str | None:
        size = self.take("<H")
        return None if size == _NULL else self._read_text(size)

    def _read_large(self) -> str | None:
        if self.take("<Q") == _PLP_NULL:
            return None
        text = b""
        while size := self.take("<I"):
            text += self._skip(size)
        return text.decode("utf-16-le")

    def _read_text(self, size: int) -> str:
        return self._skip(size).decode("utf-16-le")

    def _skip(self, size: int) -> bytes:
        """Return the next bytes; raises struct.error when there are fewer."""
        (data,) = struct.unpack_from(f"{size}s", self._data, self._position)
        self._position += size
        return bytes(data)

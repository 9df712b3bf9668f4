"""Batches of Arrow columns, landed column by column instead of value by value.

What the source's type guarantees to keep the contract lands in that type, everything else as text. The texts are those
of `landing.to_landing` for the same values; tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pgpq import ArrowToPostgresBinaryEncoder

from open_orders.column_types import FIRST_MOMENT
from open_orders.contract import Column, Date, Integer, LocalTimestamp, Numeric, Text
from open_orders.key_order import Key
from open_orders.landing import REPLACED, Form, LandedRow, to_landing

if TYPE_CHECKING:
    from psycopg import Copy

_TEXT = pa.large_string()
_NO_FRACTION = ".000000"
# From this scale on Arrow writes small decimals with an exponent.
_PLAIN_SCALE = 6
_UNSTORABLE = f"[\\x00{REPLACED}]"
_NUL, _REPLACED = b"\0", REPLACED.encode()
# PostgreSQL's COPY in binary format: https://www.postgresql.org/docs/current/sql-copy.html
_HEAD, _TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


class ArrowBatch:
    """A batch of the contract's columns, which are at these positions of what the driver delivered.

    `kinds` are the Python types by which it describes all of its columns.
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        found: pa.RecordBatch,
        positions: Sequence[int],
        kinds: Sequence[type],
    ) -> None:
        self._names = [column.name for column in columns]
        self._arrays = [found.column(position) for position in positions]
        self._kinds = [kinds[position] for position in positions]
        self._types, self.form = _plan(columns, tuple(array.type for array in self._arrays))
        self._columns = columns

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._arrays[0])

    def type_of(self, position: int) -> str | None:
        """Return the name of the type of a column's values; None when all of them are NULL."""
        array = self._arrays[position]
        if array.null_count == len(array):
            return None
        if self._kinds[position] is UUID:
            return "uniqueidentifier"
        return next((name for matches, name in _TYPE_NAMES if matches(array.type)), str(array.type))

    def latest(self, position: int) -> datetime | None:
        """Return the latest of a column's moments, `FIRST_MOMENT` when all are NULL; None when some are no moments."""
        array = self._arrays[position]
        if array.type != pa.timestamp("us"):
            return None
        found: datetime | None = pc.max(array).as_py()
        return found or FIRST_MOMENT

    def ascending_keys(self) -> tuple[Key, Key] | None:
        """Return the first and the last key of rows that each have a higher one than the row before.

        None when one hasn't, or when different values could become the same key.
        """
        keys = []
        for column, array, kind in zip(self._columns, self._arrays, self._types, strict=True):
            if column.key:
                is_told_apart = array.type == _TEXT if isinstance(column.type, Text) else kind != _TEXT
                if array.null_count or not is_told_apart:
                    return None
                keys.append(array)
        if not pc.all(_is_higher(keys), min_count=0).as_py():
            return None
        first, last = (tuple(array[row].as_py() for array in keys) for row in (0, len(self) - 1))
        return first, last

    def landed(self) -> Iterator[LandedRow]:
        """Yield the rows as texts."""
        for row in zip(*(_to_texts(array).to_pylist() for array in self._arrays), strict=True):
            yield to_landing(self._names, row)

    def write(self, copy: Copy, rows_before: int) -> None:
        """Land the rows, numbered from `rows_before` + 1 on."""
        if not len(self):
            return
        arrays = [
            _to_texts(array) if kind == _TEXT else array.cast(kind)
            for array, kind in zip(self._arrays, self._types, strict=True)
        ]
        numbers = pc.add(_count(len(self)), rows_before)
        copy.write(_encode([numbers, *self._make_storable(arrays)]))

    def _make_storable(self, arrays: list[pa.Array]) -> list[pa.Array]:
        """Return the arrays with what can't be stored made visible, and why it can't be behind them."""
        bad = self._find_unstorable(arrays)
        reasons = pa.nulls(len(self), _TEXT)
        if bad is None:
            return [*arrays, reasons]
        texts = [index for index, array in enumerate(arrays) if array.type == _TEXT]
        rows = zip(*(arrays[index].filter(bad).to_pylist() for index in texts), strict=True)
        landed = [to_landing([self._names[index] for index in texts], row) for row in rows]
        for index, storable in zip(texts, zip(*(values for values, _ in landed), strict=True), strict=True):
            arrays[index] = pc.replace_with_mask(arrays[index], bad, pa.array(storable, _TEXT))
        return [*arrays, pc.replace_with_mask(reasons, bad, pa.array([reason for _, reason in landed], _TEXT))]

    def _find_unstorable(self, arrays: Sequence[pa.Array]) -> pa.Array | None:
        """Return which rows hold a character that can't be stored, or that stands for a lost one; None for none."""
        found = []
        for array, delivered in zip(arrays, self._arrays, strict=True):
            if pa.types.is_large_string(delivered.type) and _may_be_unstorable(array):
                marks = pc.match_substring_regex(array, _UNSTORABLE)
                if pc.any(marks).as_py():
                    found.append(pc.fill_null(marks, False))
        return reduce(pc.or_, found) if found else None


@lru_cache(8)
def _count(rows: int) -> pa.Array:
    """Return the numbers from 1 to so many."""
    return pa.array(range(1, rows + 1), pa.int64())


@lru_cache(8)
def _plan(columns: tuple[Column, ...], delivered: tuple[pa.DataType, ...]) -> tuple[tuple[pa.DataType, ...], Form]:
    """Return as what columns of these types land, and in which form: the same for all batches of a query."""
    types = tuple(_landed_type(column, kind) for column, kind in zip(columns, delivered, strict=True))
    names = [
        column.name if kind == _TEXT else column.landed_typed or column.name
        for column, kind in zip(columns, types, strict=True)
    ]
    return types, Form((*names, "unstorable"), "binary", _HEAD, _TAIL)


def _landed_type(column: Column, delivered: pa.DataType) -> pa.DataType:
    """Return as what a column lands: its type when all values of the delivered type keep the contract, or text."""
    match column.type:
        case Text():
            return _TEXT
        case Integer():
            fits = pa.types.is_integer(delivered) and (delivered.bit_width < 32 or delivered == pa.int32())
            return pa.int32() if fits else _TEXT
        case Numeric(precision, scale):
            fits = (
                pa.types.is_decimal128(delivered)
                and delivered.scale <= scale
                and delivered.precision - delivered.scale <= precision - scale
            )
            return delivered if fits else _TEXT
        case Date():
            return delivered if pa.types.is_date32(delivered) else _TEXT
        case LocalTimestamp():
            return delivered if delivered == pa.timestamp("us") else _TEXT


def _is_higher(keys: Sequence[pa.Array]) -> pa.Array:
    """Return of each row but the first whether its key is higher than that of the row before."""
    higher = None
    for key in reversed(keys):
        before, after = key.slice(0, len(key) - 1), key.slice(1)
        above = pc.less(before, after)
        higher = above if higher is None else pc.or_(above, pc.and_(pc.equal(before, after), higher))
    return higher


def _may_be_unstorable(texts: pa.Array) -> bool:
    """Return whether there is such a character somewhere in the texts' memory: much faster than asking each text."""
    _, offsets, data = texts.buffers()
    if data is None:
        return False
    ends = memoryview(offsets).cast("q")
    first, last = ends[texts.offset], ends[texts.offset + len(texts)]
    memory = data.slice(first, last - first).to_pybytes()
    return _NUL in memory or not (memory.isascii() or _REPLACED not in memory)


def _encode(arrays: list[pa.Array]) -> memoryview:
    """Return rows in COPY's binary format, without its head and tail."""
    batch = pa.record_batch(arrays, [str(position) for position in range(len(arrays))])
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    encoder.write_header()
    rows: bytes = encoder.write_batch(batch) + encoder.finish()
    return memoryview(rows)[: -len(_TAIL)]


def _to_texts(column: pa.Array) -> pa.Array:
    """Return a column's values as they land."""
    kind = column.type
    if pa.types.is_large_string(kind):
        return column
    if pa.types.is_boolean(kind):
        return column.cast(pa.int8()).cast(_TEXT)
    if pa.types.is_integer(kind) or pa.types.is_date(kind):
        return column.cast(_TEXT)
    if pa.types.is_decimal(kind) and kind.scale <= _PLAIN_SCALE:
        return column.cast(_TEXT)
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return pc.replace_substring(column.cast(_TEXT), _NO_FRACTION, "")
    if pa.types.is_time(kind):
        # Of its nine digits the last two are no SQL Server's, and the seventh is cut off as in datetime2.
        return pc.replace_substring(column.cast(pa.time64("us"), safe=False).cast(_TEXT), _NO_FRACTION, "")
    # Floats, long decimals and binary values, which Arrow writes otherwise: value by value.
    return pa.array([to_landing(("",), (value,))[0][0] for value in column.to_pylist()], _TEXT)


_TYPE_NAMES: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (pa.types.is_large_string, "text"),
    (pa.types.is_boolean, "bit"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_floating, "float"),
    (pa.types.is_timestamp, "date and time"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_large_binary, "binary"),
)

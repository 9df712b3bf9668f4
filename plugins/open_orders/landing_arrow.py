"""Batches of Arrow columns, made into the landing table's text column by column instead of value by value.

The texts are those of `landing.to_landing` for the same values; tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from open_orders.landing import REPLACED, LandedRow, to_landing

if TYPE_CHECKING:
    from psycopg import Copy

_TEXT = pa.large_string()
_NO_FRACTION = ".000000"
# From this scale on Arrow writes small decimals with an exponent.
_PLAIN_SCALE = 6
# PostgreSQL's COPY in text format: https://www.postgresql.org/docs/current/sql-copy.html
_NULL, _TAB, _END = r"\N", "\t", "\n"
_ESCAPES = (("\\", r"\\"), ("\n", r"\n"), ("\r", r"\r"), ("\t", r"\t"))
_ESCAPED = r"[\\\n\r\t]"
_UNSTORABLE = f"[\\x00{REPLACED}]"


class ArrowBatch:
    """A batch of columns in the contract's order, which are at these positions of what the driver delivered in parts.

    `kinds` are the Python types by which it describes all of its columns.
    """

    def __init__(
        self, names: Sequence[str], parts: Sequence[pa.RecordBatch], positions: Sequence[int], kinds: Sequence[type]
    ) -> None:
        self._names = names
        self._columns = [pa.concat_arrays([part.column(position) for part in parts]) for position in positions]
        self._kinds = [kinds[position] for position in positions]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._columns[0])

    def type_of(self, position: int) -> str | None:
        """Return the name of the type of a column's values; None when all of them are NULL."""
        column = self._columns[position]
        if column.null_count == len(column):
            return None
        if self._kinds[position] is UUID:
            return "uniqueidentifier"
        return next((name for matches, name in _TYPE_NAMES if matches(column.type)), str(column.type))

    def landed(self) -> Iterator[LandedRow]:
        """Yield the rows as they land."""
        return self._land_rows([column.to_pylist() for column in self._texts()])

    def write(self, copy: Copy, job_log_id: int, batch_no: int, rows_before: int) -> None:
        """Land the rows, numbered from `rows_before` + 1 on."""
        texts = self._texts()
        numbers = pa.array(range(rows_before + 1, rows_before + 1 + len(self)), pa.int64()).cast(_TEXT)
        bad = self._find_unstorable(texts)
        if bad is not None:
            rows = self._land_rows([column.filter(bad).to_pylist() for column in texts])
            for number, (values, unstorable) in zip(numbers.filter(bad).to_pylist(), rows, strict=True):
                copy.write_row((job_log_id, batch_no, int(number), *values, unstorable))
            good = pc.invert(bad)
            texts, numbers = [column.filter(good) for column in texts], numbers.filter(good)
        if len(numbers):
            copy.write(_copy_lines([f"{job_log_id}{_TAB}{batch_no}", numbers, *map(self._escape, texts), _NULL]))

    def _texts(self) -> list[pa.Array]:
        return [_to_texts(column) for column in self._columns]

    def _land_rows(self, columns: list[list[str | None]]) -> Iterator[LandedRow]:
        for row in zip(*columns, strict=True):
            yield to_landing(self._names, row)

    def _find_unstorable(self, texts: Sequence[pa.Array]) -> pa.Array | None:
        """Return which rows hold a character that can't be stored, or that stands for a lost one; None for none."""
        found = []
        for text, column in zip(texts, self._columns, strict=True):
            if pa.types.is_large_string(column.type):
                marks = pc.match_substring_regex(text, _UNSTORABLE)
                if pc.any(marks).as_py():
                    found.append(pc.fill_null(marks, False))
        return reduce(pc.or_, found) if found else None

    @staticmethod
    def _escape(texts: pa.Array) -> pa.Array:
        if pc.any(pc.match_substring_regex(texts, _ESCAPED)).as_py():
            for character, escape in _ESCAPES:
                texts = pc.replace_substring(texts, character, escape)
        return texts


def _copy_lines(fields: list[pa.Array | str]) -> memoryview:
    """Return lines of COPY's text format, joined in one buffer."""
    joined = pc.binary_join_element_wise(
        *(pa.scalar(field, _TEXT) if isinstance(field, str) else field for field in fields),
        pa.scalar(_TAB, _TEXT), null_handling="replace", null_replacement=_NULL,
    )  # fmt: skip
    lines = pc.binary_join_element_wise(joined, pa.scalar("", _TEXT), pa.scalar(_END, _TEXT))
    return memoryview(lines.buffers()[2])[: pc.sum(pc.binary_length(lines)).as_py()]


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

"""Dates and times in SQL Server's units: days since 0001-01-01 and ticks of 100 nanoseconds.

Formats: [MS-TDS] 2.2.5.5.1.3 to 2.2.5.5.1.9 (datetime, smalldatetime, date, time, datetime2, datetimeoffset).
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from typing import NamedTuple

_DAY_TICKS = 864_000_000_000
_DAYS_TO_1900 = dt.date(1900, 1, 1).toordinal() - 1
_DAYS_TO_1753 = dt.date(1753, 1, 1).toordinal() - 1
_LAST_DAY = dt.date.max.toordinal() - 1
_ISO = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)(?:[ T]|$))?"
    r"(?:(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,7}))?)?)?"
    r"\s*(?P<offset>[+-]\d\d:\d\d)?"
)


class Moment(NamedTuple):
    """A local date and time: `days` since 0001-01-01, `ticks` of 100 ns in the day, offset from UTC in minutes."""

    days: int
    ticks: int
    offset_minutes: int | None = None

    def date_bytes(self) -> bytes:
        """Return the three bytes of a date."""
        self._refuse_offset("date")
        return _pack_days(self.days)

    def time_bytes(self, scale: int) -> bytes:
        """Return a time of this many fractional digits, rounded; past midnight it wraps."""
        self._refuse_offset("time")
        return _pack_time(self._rounded(scale)[1], scale)

    def datetime2_bytes(self, scale: int) -> bytes:
        """Return a datetime2 of this many fractional digits, rounded."""
        self._refuse_offset("datetime2")
        days, units = self._rounded(scale)
        return _pack_time(units, scale) + _pack_days(days)

    def datetimeoffset_bytes(self, scale: int) -> bytes:
        """Return a datetimeoffset: the UTC date and time, then the offset. No offset means UTC."""
        offset = self.offset_minutes or 0
        days, ticks = divmod(self.days * _DAY_TICKS + self.ticks - offset * 600_000_000, _DAY_TICKS)
        days, units = Moment(days, ticks)._rounded(scale)
        return _pack_time(units, scale) + _pack_days(days) + struct.pack("<h", offset)

    def datetime_bytes(self) -> bytes:
        """Return a datetime: days since 1900-01-01 and three-hundredths of a second, rounded."""
        self._refuse_offset("datetime")
        if self.days < _DAYS_TO_1753:
            raise ValueError("datetime begins at 1753-01-01")
        carry, units = divmod((self.ticks * 300 + 5_000_000) // 10_000_000, 86_400 * 300)
        return struct.pack("<iI", self.days + carry - _DAYS_TO_1900, units)

    def smalldatetime_bytes(self) -> bytes:
        """Return a smalldatetime: days since 1900-01-01 and minutes, rounded."""
        self._refuse_offset("smalldatetime")
        carry, minutes = divmod((self.ticks + 300_000_000) // 600_000_000, 1440)
        return struct.pack("<HH", self.days + carry - _DAYS_TO_1900, minutes)

    def _rounded(self, scale: int) -> tuple[int, int]:
        unit = 10 ** (7 - scale)
        carry, units = divmod((self.ticks + unit // 2) // unit, 86_400 * 10**scale)
        return self.days + carry, units

    def _refuse_offset(self, name: str) -> None:
        if self.offset_minutes is not None:
            raise ValueError(f"{name} has no offset from UTC; give a time without one")


def parse(value: object) -> Moment:
    """Return the moment that a date, datetime, time or ISO 8601 text (up to seven digits) stands for."""
    if isinstance(value, dt.datetime):
        offset = value.utcoffset()
        minutes = None if offset is None else round(offset.total_seconds() / 60)
        return Moment(value.toordinal() - 1, _ticks(value.time()), minutes)
    if isinstance(value, dt.date):
        return Moment(value.toordinal() - 1, 0)
    if isinstance(value, dt.time):
        return Moment(_DAYS_TO_1900, _ticks(value))
    if isinstance(value, str):
        return _parse_text(value)
    raise TypeError(f"expected a date or time, found {type(value).__name__}")


def _parse_text(text: str) -> Moment:
    match = _ISO.fullmatch(text)
    if match is None or not (match["date"] or match["hour"]):
        raise ValueError("expected text such as '2024-12-31 23:59:59.1234567 +03:00'")
    date = dt.date.fromisoformat(match["date"]) if match["date"] else dt.date(1900, 1, 1)
    ticks = 0
    if match["hour"]:
        time = dt.time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0))
        ticks = _ticks(time) + int((match["fraction"] or "").ljust(7, "0"))
    offset = None
    if match["offset"]:
        sign = -1 if match["offset"][0] == "-" else 1
        offset = sign * (int(match["offset"][1:3]) * 60 + int(match["offset"][4:6]))
    return Moment(date.toordinal() - 1, ticks, offset)


def _ticks(time: dt.time) -> int:
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 10_000_000 + time.microsecond * 10


def _pack_time(units: int, scale: int) -> bytes:
    return units.to_bytes(3 if scale <= 2 else 4 if scale <= 4 else 5, "little")


def _pack_days(days: int) -> bytes:
    if not 0 <= days <= _LAST_DAY:
        raise ValueError("dates run from 0001-01-01 to 9999-12-31")
    return days.to_bytes(3, "little")

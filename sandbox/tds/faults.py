"""Misbehaviour on demand: what the stand-in does wrong, and where it is told so."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from sandbox.tds.engine import ServerMessage


class FaultsFormatError(ValueError):
    """A faults file that does not say what the stand-in understands."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Row and byte faults strike the first result set of a batch that reads from a table.

    Housekeeping (`SELECT @@ROWCOUNT`, `SELECT @@VERSION`, SET, USE) is spared, so that what a client does after a
    fault can be watched. Counts are of rows sent before the fault.

    refuse_logins: every login fails with 18456.
    refuse_first_logins: so many logins fail with 18456, counted from the server's start or the last change of faults.
    no_encryption: a client that wants TLS is told that there is none.
    drop_after_rows: the connection ends after so many rows, at a row boundary.
    drop_after_bytes: it ends after so many bytes of the result, column descriptions included.
    reset: a dropped connection ends with RST instead of FIN.
    stall_before_rows: nothing is sent after the column descriptions until the client cancels or leaves.
    stall_after_rows: nothing is sent after so many rows, likewise.
    error_after_rows: (rows, number, severity, state, message): so many rows, then this error.
    omit_after_rows: the result ends as though complete after so many rows; @@ROWCOUNT still counts all of them.
    zero_rows: the result is empty.
    """

    refuse_logins: bool = False
    refuse_first_logins: int = 0
    no_encryption: bool = False
    drop_after_rows: int | None = None
    drop_after_bytes: int | None = None
    reset: bool = False
    stall_before_rows: bool = False
    stall_after_rows: int | None = None
    error_after_rows: tuple[int, int, int, int, str] | None = None
    omit_after_rows: int | None = None
    zero_rows: bool = False

    @classmethod
    def from_json(cls, text: str) -> Faults:
        """Return the faults of a JSON object with the names above; raises FaultsFormatError."""
        try:
            loaded = json.loads(text)
        except json.JSONDecodeError as error:
            raise FaultsFormatError(f"expected a JSON object, found {error}") from error
        if not isinstance(loaded, dict):
            raise FaultsFormatError(f"expected a JSON object, found {type(loaded).__name__}")
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(loaded) - set(known))
        if unknown:
            raise FaultsFormatError(f"expected names among {', '.join(known)}, found {', '.join(unknown)}")
        return cls(**{name: _checked(name, value) for name, value in loaded.items()})

    def error(self) -> tuple[int, ServerMessage] | None:
        """Return the row count and the error of error_after_rows."""
        if self.error_after_rows is None:
            return None
        rows, number, severity, state, text = self.error_after_rows
        return rows, ServerMessage(number, severity, state, text)


NO_FAULTS = Faults()


def _checked(name: str, value: Any) -> Any:
    if name in {"refuse_logins", "no_encryption", "reset", "stall_before_rows", "zero_rows"}:
        if not isinstance(value, bool):
            raise FaultsFormatError(f"expected true or false for {name}, found {value!r}")
        return value
    if name == "error_after_rows" and value is not None:
        numbers = value[:4] if isinstance(value, list) else []
        if len(numbers) != 4 or not all(type(number) is int for number in numbers) or len(value) != 5:
            raise FaultsFormatError(f"expected [rows, number, severity, state, message] for {name}, found {value!r}")
        return (*numbers, str(value[4]))
    if value is None and name != "refuse_first_logins":
        return None
    if type(value) is not int or value < 0:
        raise FaultsFormatError(f"expected a number of at least 0 for {name}, found {value!r}")
    return value


class FaultSource(Protocol):
    """Where a server looks up its faults, at every login and every batch."""

    def current(self) -> Faults:
        """Return the faults in force."""


class FaultsFile:
    """Faults in a JSON file, read again when it changes. No file means no faults, a bad one the faults before it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._faults = NO_FAULTS
        self._lock = threading.Lock()

    def current(self) -> Faults:
        """Return the faults that the file holds now."""
        with self._lock:
            try:
                stat = self._path.stat()
                seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if seen != self._seen:
                    self._seen = seen
                    self._faults = Faults.from_json(self._path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                self._seen, self._faults = None, NO_FAULTS
            except (OSError, UnicodeDecodeError, FaultsFormatError) as error:
                print(f"stand-in SQL Server: faults file {self._path}: {error}", file=sys.stderr, flush=True)
            return self._faults

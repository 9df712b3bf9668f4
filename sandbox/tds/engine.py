"""What the protocol side asks of an engine, and what an engine answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sandbox.tds.types import SqlType

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Column:
    """A result column; an unnamed one has the name ''."""

    name: str
    type: SqlType
    nullable: bool = True


@dataclass(slots=True)
class ResultSet:
    """Columns and their rows, read once and lazily.

    `reads_table` tells whether the statement read from a table or a scripted result: only those meet faults.
    `counted` is False under SET NOCOUNT ON.
    """

    columns: Sequence[Column]
    rows: Iterable[Row]
    reads_table: bool = True
    counted: bool = True


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """ROW tokens of so many rows, as they are sent."""

    data: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Columns, and rows that were encoded before; faults spare them. `counted` as in a ResultSet."""

    columns: Sequence[Column]
    blocks: Sequence[EncodedRows]
    counted: bool = True

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(block.rows for block in self.blocks)


@dataclass(frozen=True, slots=True)
class RowCount:
    """A statement without rows ended, having touched `rows` rows; None when it does not count."""

    rows: int | None = None


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """An error, or information for a severity up to 10; number, severity and state as SQL Server numbers them."""

    number: int
    severity: int
    state: int
    text: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class DatabaseChange:
    """USE took effect."""

    new: str
    old: str


@dataclass(frozen=True, slots=True)
class TransactionChange:
    """A transaction began (`ended` None), or ended committed (True) or rolled back (False)."""

    ended: bool | None


Outcome = ResultSet | Replay | RowCount | ServerMessage | DatabaseChange | TransactionChange


class EngineError(Exception):
    """A statement failed and its batch ends here; also raised while rows are read."""

    def __init__(self, message: ServerMessage) -> None:
        super().__init__(f"{message.number}: {message.text}")
        self.message = message


class UnknownDatabaseError(Exception):
    """The login asks for a database that the engine does not have."""


def make_error(number: int, text: str, severity: int = 16, state: int = 1, line: int = 1) -> EngineError:
    """Return an EngineError to raise."""
    return EngineError(ServerMessage(number, severity, state, text, line))


class EngineSession(Protocol):
    """One client's conversation with an engine. `cancel` may come from another thread, the rest does not."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def execute(self, batch: str) -> Iterator[Outcome]:
        """Yield what each statement of the batch gives; a ResultSet's rows are read before the next outcome."""

    def note_error(self, number: int) -> None:
        """Remember that the batch ended in this error, for @@ERROR and @@ROWCOUNT."""

    def begin(self) -> None:
        """Begin a transaction."""

    def commit(self) -> None:
        """Commit the open transaction, if any."""

    def rollback(self) -> None:
        """Roll the open transaction back, if any."""

    def reset(self) -> None:
        """Forget the session's settings and roll back, as a pooled connection's next user expects."""

    def cancel(self) -> None:
        """Make a running `execute` end soon; harmless when nothing runs."""

    def close(self) -> None:
        """Roll back and let go of everything."""


class Engine(Protocol):
    """Where sessions come from."""

    def connect(self, database: str) -> EngineSession:
        """Return a new session; raises UnknownDatabaseError, or EngineError when there can be none."""

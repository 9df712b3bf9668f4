"""An engine that answers batches with exactly what a test wrote down."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sandbox.tds.batches import Conditional, Statement, split_batch
from sandbox.tds.collations import TURKISH, Collation
from sandbox.tds.engine import (
    Column,
    EngineError,
    Outcome,
    Replay,
    ResultSet,
    Row,
    UnknownDatabaseError,
    make_error,
)
from sandbox.tds.housekeeping import Housekeeping, SessionState
from sandbox.tds.types import SqlType

Answer = Outcome | EngineError
Answers = Sequence[Answer] | Callable[[str], Iterable[Answer]]
Match = str | Callable[[str], bool]

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def make_column(name: str, sql_type: str, nullable: bool = True, collation: Collation = TURKISH) -> Column:
    """Return a column of a type in T-SQL spelling."""
    return Column(name, SqlType.parse(sql_type, collation), nullable)


def make_result(columns: Sequence[tuple[str, str]], rows: Iterable[Row], reads_table: bool = True) -> ResultSet:
    """Return a result set of (name, T-SQL type) columns; `rows` may be a generator, which is read once."""
    return ResultSet([make_column(name, sql_type) for name, sql_type in columns], rows, reads_table)


def normalize(sql: str) -> str:
    """Return text to compare: no comments, single spaces, lower case, no final semicolon."""
    return " ".join(_COMMENT.sub(" ", sql).split()).rstrip("; ").lower()


@dataclass(frozen=True)
class _Script:
    matches: Callable[[str], bool]
    answers: Answers


class ScriptedEngine:
    """Answers scripted batches, and housekeeping statements by itself; anything else is error 50000.

    The last script that matches wins. A whole batch is looked up first, then each of its statements, so a scripted
    query may arrive behind `SET NOCOUNT ON`. An answer that is an EngineError ends the batch; in the rows, a
    generator may raise one.
    """

    def __init__(self, databases: Iterable[str] = ("ERP",)) -> None:
        self._databases = {name.casefold() for name in (*databases, "master")}
        self._scripts: list[_Script] = []
        self._lock = threading.Lock()

    def script(self, match: Match, answers: Answers) -> None:
        """Answer what matches (text, compared normalized, or a predicate on the text) with these outcomes.

        A callable gets the text and makes fresh outcomes each time; a plain sequence is given out again each time,
        its rows in a list.
        """
        if callable(match):
            matches = match
        else:
            expected = normalize(match)

            def matches(text: str) -> bool:
                return normalize(text) == expected

        with self._lock:
            self._scripts.insert(0, _Script(matches, answers))

    def find(self, text: str) -> Iterable[Answer] | None:
        """Return the answers to a batch or statement, or None when no script matches."""
        with self._lock:
            scripts = list(self._scripts)
        for script in scripts:
            if script.matches(text):
                return script.answers(text) if callable(script.answers) else script.answers
        return None

    def has_database(self, name: str) -> bool:
        """Whether sessions may use this database."""
        return name.casefold() in self._databases

    def connect(self, database: str) -> ScriptedSession:
        """Return a session; raises UnknownDatabaseError."""
        if not self.has_database(database):
            raise UnknownDatabaseError(database)
        return ScriptedSession(self, database)


class ScriptedSession:
    """One client's conversation with a ScriptedEngine."""

    def __init__(self, engine: ScriptedEngine, database: str) -> None:
        self._engine = engine
        self._state = SessionState(database)
        self._housekeeping = Housekeeping(self._state, engine.has_database)

    @property
    def in_transaction(self) -> bool:
        """Whether BEGIN TRAN came without its end."""
        return self._state.trancount > 0

    def execute(self, batch: str) -> Iterator[Outcome]:
        """Yield the scripted outcomes."""
        yield from self._execute(batch)
        self._state.error_number = 0

    def note_error(self, number: int) -> None:
        """Remember that the batch ended in this error, for @@ERROR and @@ROWCOUNT."""
        self._state.error_number, self._state.rowcount = number, 0

    def _execute(self, batch: str) -> Iterator[Outcome]:
        answers = self._engine.find(batch)
        if answers is not None:
            yield from self._give(answers)
            return
        for node in split_batch(batch):
            if isinstance(node, Conditional):
                raise make_error(50000, "The scripted stand-in does not interpret IF; script the whole batch.")
            yield from self._execute_statement(node)

    def begin(self) -> None:
        """Begin a transaction."""
        self._housekeeping.begin()

    def commit(self) -> None:
        """Commit the open transaction, if any."""
        if self.in_transaction:
            self._housekeeping.commit()

    def rollback(self) -> None:
        """Roll the open transaction back, if any."""
        if self.in_transaction:
            self._housekeeping.rollback()

    def reset(self) -> None:
        """Forget settings and transaction."""
        self._state.reset()

    def cancel(self) -> None:
        """Do nothing: scripted rows are abandoned between two of them."""

    def close(self) -> None:
        """Do nothing: a scripted session holds nothing."""

    def _execute_statement(self, statement: Statement) -> Iterator[Outcome]:
        answers: Iterable[Answer] | None = self._engine.find(statement.text)
        if answers is not None:
            yield from self._give(answers)
            return
        outcomes = self._housekeeping.interpret(statement)
        if outcomes is None:
            outcomes = self._housekeeping.select_globals(statement)
        if outcomes is None:
            raise make_error(50000, f"The stand-in has no script for: {statement.text[:500]}", line=statement.line)
        yield from outcomes

    def _give(self, answers: Iterable[Answer]) -> Iterator[Outcome]:
        for answer in answers:
            if isinstance(answer, EngineError):
                raise answer
            if isinstance(answer, Replay):
                yield replace(answer, counted=not self._state.nocount)
                self._state.rowcount = answer.rows
            else:
                yield self._state.counted(answer) if isinstance(answer, ResultSet) else answer

"""What every session of a driver does besides queries: SET options, USE, transactions, @@ globals.

Source of the @@ROWCOUNT rules: Microsoft's "@@ROWCOUNT (Transact-SQL)": a simple assignment sets 1; USE,
SET <option>, BEGIN TRANSACTION and COMMIT TRANSACTION set 0; queries set the rows they read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sandbox.tds.batches import Statement
from sandbox.tds.engine import (
    Column,
    DatabaseChange,
    EngineError,
    Outcome,
    ResultSet,
    Row,
    RowCount,
    ServerMessage,
    TransactionChange,
    make_error,
)
from sandbox.tds.types import SqlType

VERSION = (16, 0, 1000)
PRODUCT_VERSION = "16.0.1000.6"
PROGRAM = "Stand-in SQL Server"
VERSION_TEXT = f"{PROGRAM} (open orders sandbox) - {PRODUCT_VERSION}, not Microsoft SQL Server"
SERVER_NAME = "STAND-IN"

_PROPERTIES: dict[str, object] = {
    "productversion": PRODUCT_VERSION,
    "productlevel": "RTM",
    "productmajorversion": "16",
    "productminorversion": "0",
    "edition": "Stand-in (not Microsoft SQL Server)",
    "engineedition": 3,
    "servername": SERVER_NAME,
    "machinename": SERVER_NAME,
    "instancename": None,
    "collation": "Turkish_CI_AS",
    "isclustered": 0,
    "ishadrenabled": 0,
}
# Options that change what a query gives; ignoring them would mislead.
_REFUSED_OPTIONS = {"ROWCOUNT", "FMTONLY", "NOEXEC", "PARSEONLY", "SHOWPLAN_ALL", "SHOWPLAN_TEXT", "SHOWPLAN_XML"}
_SET_OPTION = re.compile(
    r"SET\s+(?!@)(?P<names>[\w ,.\[\]]+?)\s+(?P<value>ON|OFF|@?-?[\w']+(?:\s+\w+)*)\s*", re.IGNORECASE
)
_USE = re.compile(r"USE\s+(?:\[(?P<quoted>[^]]+)\]|\"(?P<double>[^\"]+)\"|(?P<plain>\w+))\s*", re.IGNORECASE)
_BEGIN = re.compile(r"BEGIN\s+TRAN(?:SACTION)?(?:\s+\w+)?\s*", re.IGNORECASE)
_COMMIT = re.compile(r"COMMIT(?:\s+(?:WORK|TRAN(?:SACTION)?)(?:\s+\w+)?)?\s*", re.IGNORECASE)
_ROLLBACK = re.compile(r"ROLLBACK(?:\s+(?:WORK|TRAN(?:SACTION)?)(?:\s+\w+)?)?\s*", re.IGNORECASE)
_ITEM = (
    r"(?:@@(?P<global>\w+)|SERVERPROPERTY\s*\(\s*N?'(?P<property>\w+)'\s*\)|(?P<db>DB_NAME)\s*\(\s*\))"
    r"(?:\s+(?:AS\s+)?(?:\[(?P<quoted>[^]]+)\]|(?P<plain>\w+)))?"
)
_SELECT_ITEM = re.compile(_ITEM, re.IGNORECASE)
_SELECT = re.compile(r"SELECT\s+(?P<items>.+)", re.IGNORECASE | re.DOTALL)


@dataclass
class SessionState:
    """A session's settings and counters, shared by the engines."""

    database: str
    rowcount: int = 0
    trancount: int = 0
    nocount: bool = False
    lock_timeout_ms: int = -1
    error_number: int = 0
    spid: int = 51

    def reset(self) -> None:
        """Go back to a fresh session's settings."""
        self.rowcount = self.trancount = self.error_number = 0
        self.nocount, self.lock_timeout_ms = False, -1

    def global_value(self, name: str) -> tuple[SqlType, object] | None:
        """Return the type and value of @@name, or None for one that the stand-in does not have."""
        values: dict[str, tuple[str, object]] = {
            "version": ("nvarchar(300)", VERSION_TEXT),
            "rowcount": ("int", self.rowcount),
            "trancount": ("int", self.trancount),
            "servername": ("nvarchar(128)", SERVER_NAME),
            "spid": ("smallint", self.spid),
            "error": ("int", self.error_number),
            "lock_timeout": ("int", self.lock_timeout_ms),
            "language": ("nvarchar(128)", "us_english"),
            "microsoftversion": ("int", 0x100003E8),
            "max_precision": ("tinyint", 38),
            "options": ("int", 512 if self.nocount else 0),
        }
        found = values.get(name.lower())
        return None if found is None else (SqlType.parse(found[0]), found[1])

    def property_value(self, name: str) -> object:
        """Return SERVERPROPERTY(name); NULL for an unknown one, as SQL Server answers."""
        return _PROPERTIES.get(name.lower())

    def counted(self, result: ResultSet) -> ResultSet:
        """Return the result set with its rows counted into @@ROWCOUNT as they are read."""
        self.rowcount = 0

        def count_rows() -> Iterator[Row]:
            try:
                for row in result.rows:
                    self.rowcount += 1
                    yield row
            except (EngineError, GeneratorExit):
                self.rowcount = 0
                raise

        return ResultSet(result.columns, count_rows(), result.reads_table, not self.nocount)


class Housekeeping:
    """Interprets housekeeping statements; what takes effect beyond the state goes through the callbacks."""

    def __init__(
        self,
        state: SessionState,
        has_database: Callable[[str], bool],
        begin: Callable[[], None] = lambda: None,
        commit: Callable[[], None] = lambda: None,
        rollback: Callable[[], None] = lambda: None,
    ) -> None:
        self._state = state
        self._has_database = has_database
        self._begin, self._commit, self._rollback = begin, commit, rollback

    def interpret(self, statement: Statement) -> list[Outcome] | None:
        """Return what the statement gives, or None when it is not housekeeping; raises EngineError."""
        text = statement.text
        if statement.keyword == "SET" and (match := _SET_OPTION.fullmatch(text)):
            return self._set_option(match["names"], match["value"])
        if statement.keyword == "USE" and (match := _USE.fullmatch(text)):
            return self._use(match["quoted"] or match["double"] or match["plain"], statement.line)
        if _BEGIN.fullmatch(text):
            return self.begin()
        if _COMMIT.fullmatch(text):
            return self.commit(statement.line)
        if _ROLLBACK.fullmatch(text):
            return self.rollback(statement.line)
        return None

    def select_globals(self, statement: Statement) -> list[Outcome] | None:
        """Answer a SELECT of nothing but @@ globals, SERVERPROPERTY and DB_NAME(), else None."""
        match = _SELECT.fullmatch(statement.text)
        if match is None:
            return None
        columns, values = [], []
        for item in match["items"].split(","):
            part = _SELECT_ITEM.fullmatch(item.strip())
            if part is None:
                return None
            sql_type, value = self._item(part)
            columns.append(Column(part["quoted"] or part["plain"] or "", sql_type))
            values.append(value)
        return [self._state.counted(ResultSet(columns, [tuple(values)], reads_table=False))]

    def begin(self) -> list[Outcome]:
        """Begin a transaction, or nest one more."""
        self._state.trancount += 1
        self._state.rowcount = 0
        if self._state.trancount > 1:
            return [RowCount()]
        self._begin()
        return [TransactionChange(None), RowCount()]

    def commit(self, line: int = 1) -> list[Outcome]:
        """Commit, or unnest by one."""
        if not self._state.trancount:
            raise make_error(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.", line=line)
        self._state.trancount -= 1
        self._state.rowcount = 0
        if self._state.trancount:
            return [RowCount()]
        self._commit()
        return [TransactionChange(True), RowCount()]

    def rollback(self, line: int = 1) -> list[Outcome]:
        """Roll back everything, however nested."""
        if not self._state.trancount:
            text = "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."
            raise make_error(3903, text, line=line)
        self._state.trancount = 0
        self._state.rowcount = 0
        self._rollback()
        return [TransactionChange(False), RowCount()]

    def _item(self, part: re.Match[str]) -> tuple[SqlType, object]:
        if part["db"]:
            return SqlType.parse("nvarchar(128)"), self._state.database
        if part["property"]:
            value = self._state.property_value(part["property"])
            return SqlType.parse("int" if isinstance(value, int) else "nvarchar(128)"), value
        found = self._state.global_value(part["global"])
        if found is None:
            raise make_error(137, f'Must declare the scalar variable "@@{part["global"]}".', severity=15, state=2)
        return found

    def _set_option(self, names: str, value: str) -> list[Outcome]:
        self._state.rowcount = 0
        for name in (part.strip() for part in names.upper().split(",")):
            if name in _REFUSED_OPTIONS and value.upper() not in {"OFF", "0"}:
                raise make_error(50000, f"The stand-in SQL Server does not know SET {name} {value}.")
            if name == "NOCOUNT":
                self._state.nocount = value.upper() == "ON"
            elif name == "LOCK_TIMEOUT":
                try:
                    self._state.lock_timeout_ms = int(value)
                except ValueError as error:
                    raise make_error(102, f"Incorrect syntax near '{value}'.", 15) from error
        return [RowCount()]

    def _use(self, name: str, line: int) -> list[Outcome]:
        if not self._has_database(name):
            text = f"Database '{name}' does not exist. Make sure that the name is entered correctly."
            raise make_error(911, text, line=line)
        old, self._state.database = self._state.database, name
        self._state.rowcount = 0
        return [
            DatabaseChange(name, old),
            ServerMessage(5701, 0, 2, f"Changed database context to '{name}'."),
            RowCount(),
        ]

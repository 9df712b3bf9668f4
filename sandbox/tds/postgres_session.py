"""One client's conversation with the PostgreSQL database behind the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import sql
from sqlglot import exp

from sandbox.tds.backing_connection import BackingConnection
from sandbox.tds.batches import STARTERS, Conditional, Node, Statement, split_batch
from sandbox.tds.collations import Collation
from sandbox.tds.engine import EngineError, Outcome, ResultSet, RowCount, ServerMessage, make_error
from sandbox.tds.housekeeping import Housekeeping, SessionState
from sandbox.tds.literal_inserts import LiteralInsert, read_literal_insert
from sandbox.tds.postgres_errors import translate_error
from sandbox.tds.result_columns import describe_result, read_hints
from sandbox.tds.table_memory import TableMemory
from sandbox.tds.translation import Translator, parse_statement
from sandbox.tds.types import SqlType
from sandbox.tds.variables import Variables, assigns_variables

_FETCHED_ROWS = 1000
_CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE"}
_UNCOUNTED = (exp.Create, exp.Alter, exp.Drop, exp.TruncateTable)
_PRINTED = SqlType.parse("nvarchar(max)")


class PostgresSession:
    """Executes batches of T-SQL; `has_database` says what USE may name."""

    def __init__(
        self,
        backing: BackingConnection,
        database: str,
        has_database: Callable[[str], bool],
        collation: Collation,
    ) -> None:
        self._backing = backing
        self._collation = collation
        self._state = SessionState(database, spid=backing.connection.info.backend_pid % 32_768)
        self._lock_timeout_ms: int | None = self._state.lock_timeout_ms
        self._housekeeping = Housekeeping(
            self._state,
            has_database,
            begin=lambda: backing.run("BEGIN"),
            commit=lambda: backing.run("COMMIT"),
            rollback=self._roll_back,
        )
        self._variables = Variables(backing, collation, self._translate)
        self._translator = Translator(self._state, self._variables.values, {database.lower(), "master"})
        self._memory = TableMemory(backing.connection, collation)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._state.trancount > 0

    def execute(self, batch: str) -> Iterator[Outcome]:
        """Yield what the batch's statements give; a failed one ends the batch with EngineError."""
        self._variables.clear()
        if "\0" in batch:
            raise make_error(50000, "The PostgreSQL behind the stand-in cannot hold the character NUL.")
        insert = read_literal_insert(batch)
        if insert is not None:
            yield self._insert_literals(insert)
        else:
            yield from self._execute_nodes(split_batch(batch))

    def note_error(self, number: int) -> None:
        """Remember that the batch ended in this error, for @@ERROR and @@ROWCOUNT."""
        self._state.error_number, self._state.rowcount = number, 0

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
        """Roll back and forget the session's settings."""
        self.rollback()
        self._state.reset()
        self._apply_lock_timeout()

    def cancel(self) -> None:
        """Cancel the running statement, from another thread."""
        self._backing.cancel()

    def close(self) -> None:
        """Close the PostgreSQL connection, which rolls back."""
        self._backing.close()

    def _roll_back(self) -> None:
        self._backing.run("ROLLBACK")
        # PostgreSQL takes a SET of the transaction back with it, SQL Server does not.
        self._lock_timeout_ms = None
        self._apply_lock_timeout()

    def _apply_lock_timeout(self) -> None:
        if self._state.lock_timeout_ms != self._lock_timeout_ms:
            self._backing.set_lock_timeout(self._state.lock_timeout_ms)
            self._lock_timeout_ms = self._state.lock_timeout_ms

    def _execute_nodes(self, nodes: list[Node] | tuple[Node, ...]) -> Iterator[Outcome]:
        for node in nodes:
            if isinstance(node, Conditional):
                yield from self._execute_nodes(node.then if self._holds(node) else node.otherwise)
                continue
            yield from self._execute_statement(node)
            self._state.error_number = 0

    def _execute_statement(self, statement: Statement) -> Iterator[Outcome]:
        outcomes = self._housekeeping.interpret(statement)
        if outcomes is not None:
            if statement.keyword == "SET":
                self._apply_lock_timeout()
            yield from outcomes
        elif statement.keyword == "DECLARE":
            self._variables.declare(statement)
        elif statement.keyword == "SET":
            self._variables.assign(statement)
            self._state.rowcount = 1
        elif statement.keyword == "PRINT":
            yield self._print(statement)
        elif statement.keyword in {"SELECT", "WITH", "("}:
            yield from self._query(statement)
        elif statement.keyword in _CHANGES:
            yield self._change(parse_statement(statement.text, statement.line), statement.line)
        else:
            raise _unknown_statement(statement)

    def _print(self, statement: Statement) -> ServerMessage:
        parsed = parse_statement(f"SELECT {statement.text[len('PRINT') :]}", statement.line)
        text = self._variables.evaluate(parsed.expressions[0], _PRINTED, statement.line)
        self._state.rowcount = 0
        return ServerMessage(0, 0, 1, text or " ", statement.line)

    def _query(self, statement: Statement) -> Iterator[Outcome]:
        parsed = parse_statement(statement.text, statement.line)
        if not isinstance(parsed, exp.Query) or parsed.args.get("into") is not None:
            yield self._change(parsed, statement.line)
            return
        if assigns_variables(parsed):
            self._state.rowcount = self._variables.assign_from_query(parsed, statement.line)
            yield RowCount()
            return
        with self._backing.statement(self.in_transaction, statement.line) as connection:
            hints = read_hints(parsed, self._memory, self._variables.values)
            text = self._translate(parsed)
            with psycopg.ServerCursor(connection, "stand_in") as cursor:
                cursor.execute(text.encode(), binary=True)
                columns = describe_result(cursor, hints)
                result = ResultSet(columns, _read_rows(cursor, statement.line), hints.reads_table)
                yield self._state.counted(result)

    def _change(self, parsed: exp.Expr, line: int) -> RowCount:
        defined = parsed.copy() if isinstance(parsed, exp.Create | exp.Alter) else None
        counts = not isinstance(parsed, _UNCOUNTED)
        text = self._translate(parsed)
        with self._backing.statement(self.in_transaction, line) as connection:
            rows = max(connection.execute(text.encode()).rowcount, 0)
            if defined is not None:
                self._memory.remember(defined)
        self._state.rowcount = rows if counts else 0
        return RowCount(rows if counts and not self._state.nocount else None)

    def _insert_literals(self, insert: LiteralInsert) -> RowCount:
        with self._backing.statement(self.in_transaction) as connection:
            columns = sql.SQL(", ").join(sql.Identifier(column) for column in insert.columns)
            statement = sql.SQL("INSERT INTO {} {} VALUES {}").format(
                sql.Identifier(*insert.table),
                sql.SQL("({})").format(columns) if insert.columns else sql.SQL(""),
                # Literals that the pattern of literal_inserts let through, which are PostgreSQL's as well.
                sql.SQL(insert.values),
            )
            rows = connection.execute(statement).rowcount
        self._state.rowcount = rows
        return RowCount(None if self._state.nocount else rows)

    def _holds(self, node: Conditional) -> bool:
        condition = parse_statement(f"SELECT 1 WHERE {node.condition}", node.line)
        return bool(self._backing.fetch(self._translate(condition), node.line))

    def _translate(self, parsed: exp.Expr) -> str:
        return self._translator.translate(parsed)


def _unknown_statement(statement: Statement) -> EngineError:
    if statement.keyword in STARTERS:
        text = f"The stand-in SQL Server does not know the statement {statement.keyword}."
        return make_error(50000, text, line=statement.line)
    return make_error(102, f"Incorrect syntax near '{statement.text[:40]}'.", 15, line=statement.line)


def _read_rows(cursor: psycopg.ServerCursor[Any], line: int) -> Iterator[tuple[object, ...]]:
    try:
        while rows := cursor.fetchmany(_FETCHED_ROWS):
            yield from rows
    except psycopg.Error as error:
        raise translate_error(error, line) from error

"""T-SQL batches cut into statements.

T-SQL needs no semicolons, so a statement ends where the next one's keyword stands. Control flow is IF … ELSE and
BEGIN … END; the rest of it (WHILE, TRY, GOTO, procedures) is beyond the stand-in and is refused by whoever runs the
statement.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from sandbox.tds.engine import make_error

STARTERS = frozenset(
    [
        "ALTER",
        "BEGIN",
        "COMMIT",
        "CREATE",
        "DECLARE",
        "DELETE",
        "DROP",
        "EXEC",
        "EXECUTE",
        "IF",
        "INSERT",
        "MERGE",
        "PRINT",
        "RAISERROR",
        "RETURN",
        "ROLLBACK",
        "SAVE",
        "SELECT",
        "SET",
        "THROW",
        "TRUNCATE",
        "UPDATE",
        "USE",
        "WAITFOR",
        "WHILE",
        "WITH",
    ]
)
_QUERY_STARTERS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})
_BEFORE_SELECT = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT", "AS", "FOR"})
_BEFORE_CHANGE = frozenset({"THEN", "ON", "FOR"})
_TRANSACTION_WORDS = frozenset({"TRAN", "TRANSACTION", "DISTRIBUTED"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `keyword` is its first word in upper case, `line` counts from 1 in the batch."""

    text: str
    keyword: str
    line: int


@dataclass(frozen=True, slots=True)
class Conditional:
    """IF `condition` then these nodes, otherwise those."""

    condition: str
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    line: int


Node = Statement | Conditional


def split_batch(batch: str) -> list[Node]:
    """Return the batch's statements in order; raises EngineError 102 or 105 when it cannot be read."""
    try:
        tokens = sqlglot.tokenize(batch, read="tsql")
    except SqlglotError as error:
        raise make_error(105, f"The stand-in cannot read the batch: {error}", severity=15) from error
    reader = _BatchReader(batch, tokens)
    nodes = []
    while reader.skip_semicolons():
        nodes.append(reader.read_node())
    return nodes


class _BatchReader:
    def __init__(self, batch: str, tokens: list[Token]) -> None:
        self._batch = batch
        self._tokens = tokens
        self._position = 0

    def skip_semicolons(self) -> bool:
        """Move to the next statement; False at the batch's end."""
        while self._type(self._position) == TokenType.SEMICOLON:
            self._position += 1
        return self._position < len(self._tokens)

    def read_node(self) -> Node:
        if self._word(self._position) == "IF":
            return self._read_conditional()
        start = self._position
        keyword = self._word(start)
        self._position = self._end_of_statement(start)
        return Statement(self._text(start, self._position), keyword, self._tokens[start].line)

    def _read_conditional(self) -> Conditional:
        start = self._position
        self._position = self._end_of_condition(start + 1)
        condition = self._text(start + 1, self._position)
        then = self._read_branch()
        otherwise: tuple[Node, ...] = ()
        rewind = self._position
        self.skip_semicolons()
        if self._word(self._position) == "ELSE":
            self._position += 1
            otherwise = self._read_branch()
        else:
            self._position = rewind
        return Conditional(condition, then, otherwise, self._tokens[start].line)

    def _read_branch(self) -> tuple[Node, ...]:
        if self._position >= len(self._tokens):
            raise make_error(102, "Incorrect syntax: a statement is missing after IF or ELSE.", severity=15)
        if not self._opens_block(self._position):
            return (self.read_node(),)
        line = self._tokens[self._position].line
        self._position += 1
        nodes: list[Node] = []
        while self.skip_semicolons() and self._word(self._position) != "END":
            nodes.append(self.read_node())
        if self._word(self._position) != "END":
            raise make_error(102, "Incorrect syntax: BEGIN without END.", severity=15, line=line)
        self._position += 1
        return tuple(nodes)

    def _opens_block(self, position: int) -> bool:
        return self._word(position) == "BEGIN" and self._word(position + 1) not in _TRANSACTION_WORDS

    def _end_of_condition(self, start: int) -> int:
        depth = 0
        for position in range(start, len(self._tokens)):
            depth += self._depth_change(position)
            if depth == 0 and self._word(position) in STARTERS and position > start:
                return position
        return len(self._tokens)

    def _end_of_statement(self, start: int) -> int:
        depth = cases = 0
        kind = self._word(start)
        set_seen = values_seen = False
        for position in range(start + 1, len(self._tokens)):
            if self._type(position) == TokenType.SEMICOLON:
                return position
            depth += self._depth_change(position)
            word = self._word(position)
            cases += {"CASE": 1, "END": -1}.get(word, 0)
            if depth:
                continue
            if cases < 0 or (word == "ELSE" and cases == 0):
                return position
            values_seen |= word == "VALUES"
            if word not in STARTERS or not self._begins(kind, word, position, set_seen, values_seen):
                set_seen |= word == "SET"
                if kind == "WITH" and word in _QUERY_STARTERS:
                    kind = word
                elif kind == "INSERT" and word == "SELECT":
                    kind = "SELECT"
                continue
            return position
        return len(self._tokens)

    def _begins(self, kind: str, word: str, position: int, set_seen: bool, values_seen: bool) -> bool:
        """Whether this word, outside parentheses, begins another statement rather than going on with this one."""
        before = self._word(position - 1)
        if word in {"WITH", "IF"}:
            # A common table expression needs a semicolon before it, so elsewhere WITH is a hint; DROP TABLE IF EXISTS.
            return word == "IF" and before not in {"TABLE", "VIEW", "SCHEMA", "COLUMN", "INDEX"}
        if kind in {"WITH", "MERGE"} and word in _QUERY_STARTERS | {"SET"}:
            return kind == "MERGE" and before != "THEN" and not (word == "SET" and before == "UPDATE")
        if word == "SELECT":
            return not (before in _BEFORE_SELECT or (kind == "INSERT" and not values_seen))
        if word == "SET":
            return not ((kind == "UPDATE" and not set_seen) or before in {"DELETE", "UPDATE"})
        if word in {"UPDATE", "DELETE", "INSERT"}:
            return before not in _BEFORE_CHANGE
        return True

    def _depth_change(self, position: int) -> int:
        return {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(self._tokens[position].token_type, 0)

    def _type(self, position: int) -> TokenType | None:
        return self._tokens[position].token_type if position < len(self._tokens) else None

    def _word(self, position: int) -> str:
        """Return the token as an upper-case keyword; '' for literals, quoted names and past the end."""
        if position >= len(self._tokens):
            return ""
        token = self._tokens[position]
        if token.token_type in {TokenType.IDENTIFIER, TokenType.STRING, TokenType.NATIONAL_STRING}:
            return ""
        if position and self._tokens[position - 1].token_type in {TokenType.DOT, TokenType.PARAMETER}:
            return ""
        return token.text.upper()

    def _text(self, start: int, end: int) -> str:
        return self._batch[self._tokens[start].start : self._tokens[end - 1].end + 1] if end > start else ""

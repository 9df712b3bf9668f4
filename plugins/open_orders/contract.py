"""The contract: the columns of an open order, said once.

Statements, staging tables, validation and SQLAlchemy models are derived from `OPEN_ORDERS`. The rule it stands for:
a value is imported exactly or its row is rejected. Rounding, trimming and guessing belong into the source query,
where the data engineer can see them. The contracts of other tables are modules of `open_orders.contracts`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

# PostgreSQL cuts names of more than 63 characters; some are made of a table's.
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,41}")
# The longest name made of a column's is `…_typed`.
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,56}")
# What the pipeline itself keeps beside the contract's columns.
_OF_LANDING = ("job_log_id", "batch_no", "row_no", "unstorable", "reason")
RESERVED = frozenset((*_OF_LANDING, "first_job_log_id", "changed_job_log_id"))
# In a statement these mean a row; a column of that name would take its place.
_ROWS = frozenset(("published", "staged", "named", "delivered"))


class ContractDefinitionError(ValueError):
    """A contract can't be what it says; the message says why."""


@dataclass(frozen=True)
class Text:
    """Text of any length, or of at most `max_length` characters."""

    max_length: int | None = None
    pg_type: ClassVar[str] = "text"


@dataclass(frozen=True)
class Integer:
    """A whole number of four bytes."""

    pg_type: ClassVar[str] = "integer"


@dataclass(frozen=True)
class Numeric:
    """A decimal number of `precision` digits, `scale` of them after the point."""

    precision: int
    scale: int

    @property
    def pg_type(self) -> str:
        """The PostgreSQL type, e.g. `numeric(18,4)`."""
        return f"numeric({self.precision},{self.scale})"


@dataclass(frozen=True)
class Date:
    """A day."""

    pg_type: ClassVar[str] = "date"


@dataclass(frozen=True)
class LocalTimestamp:
    """A date and time of the ERP's own clock, without a zone, to the microsecond."""

    pg_type: ClassVar[str] = "timestamp"


ColumnType = Text | Integer | Numeric | Date | LocalTimestamp


@dataclass(frozen=True)
class Column:
    """One column: its name in the source query's result and in PostgreSQL, its type, and whether NULL is allowed.

    `last_change` marks the one that says when the row was last changed, by the ERP's own clock.
    """

    name: str
    type: ColumnType
    description: str
    nullable: bool = True
    key: bool = False
    last_change: bool = False

    @property
    def landed_typed(self) -> str | None:
        """The landing table's column for values whose type in the source keeps the contract; None for texts."""
        return None if isinstance(self.type, Text) else f"{self.name}_typed"

    @property
    def landed_type(self) -> str:
        """The PostgreSQL type of that column, e.g. `numeric`: without limits, so decimal places stay as delivered."""
        return self.type.pg_type.partition("(")[0]


@dataclass(frozen=True)
class Contract:
    """The columns of one table that is synced.

    `table` is also the prefix of its landing and staging tables, `noun` is what one row is called in messages.
    Raises ContractDefinitionError for names that PostgreSQL or the pipeline can't take, and for a key that is none.
    """

    table: str
    noun: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ContractDefinitionError(f"The contract {self.table} can't be used: {'; '.join(problems)}")

    def _problems(self) -> Iterator[str]:
        if not _TABLE.fullmatch(self.table):
            yield "its name has to be of at most 42 characters a-z, 0-9 and _, the first a letter"
        for name, times in Counter(self.names).items():
            if not _COLUMN.fullmatch(name):
                yield f"the column name {name!r} has to be of at most 57 characters a-z, 0-9 and _, the first a letter"
            if times > 1:
                yield f"the column {name} comes {times} times"
            if name in RESERVED | _ROWS | {column.landed_typed for column in self.columns}:
                yield f"the pipeline uses the name {name} itself"
        if not self.key:
            yield "no column is a key"
        keys = [column for column in self.columns if column.key]
        yield from (f"the key column {column.name} must not be nullable" for column in keys if column.nullable)
        lengths = [column.type.max_length or 0 for column in keys if isinstance(column.type, Text)]
        if 0 in lengths or sum(lengths) > KEY_CHARACTERS:
            yield f"texts in the key need a max_length, together of at most {KEY_CHARACTERS}"
        marked = [column for column in self.columns if column.last_change]
        if len(marked) > 1 or any(not isinstance(column.type, LocalTimestamp) for column in marked):
            yield "last_change is for one column of type LocalTimestamp"

    @property
    def names(self) -> tuple[str, ...]:
        """All column names, in contract order."""
        return tuple(column.name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the key columns, in contract order."""
        return tuple(column.name for column in self.columns if column.key)

    def landing_columns(self) -> Iterator[tuple[str, str]]:
        """Yield name and PostgreSQL type of the landing table's columns for values: a text one, and one of its type."""
        for column in self.columns:
            yield column.name, "text"
            if column.landed_typed is not None:
                yield column.landed_typed, column.landed_type

    @property
    def last_change(self) -> Column | None:
        """The column with the time of a row's last change, if there is one."""
        return next((column for column in self.columns if column.last_change), None)

    def count(self, number: int) -> str:
        """Return so many rows in words: `1 order`, `2,500 orders`."""
        return f"{number:,} {self.noun}{'' if number == 1 else 's'}"

    @property
    def landing(self) -> str:
        """The table of rows as the source delivered them."""
        return f"{self.table}_landing"

    @property
    def staging(self) -> str:
        """The table of rows that passed the contract."""
        return f"{self.table}_staging"

    @property
    def batches(self) -> str:
        """The table with a row for each batch of the landing table: landed, imported, rejected."""
        return f"{self.table}_batches"

    @property
    def working_tables(self) -> tuple[str, str, str]:
        """The pipeline's alone: whoever reads them holds up a sync, which truncates them."""
        return self.landing, self.staging, self.batches


QUANTITY = Numeric(18, 4)
MONEY = Numeric(19, 4)
# PostgreSQL's B-tree holds at most about 2,700 bytes an entry; so many characters of four bytes stay below.
KEY_CHARACTERS = 650
KEY_TEXT = Text(max_length=250)

OPEN_ORDERS = Contract(
    table="open_orders",
    noun="order",
    columns=(
        Column("order_number", KEY_TEXT, "Number of the sales order", nullable=False, key=True),
        Column("line_number", Integer(), "Line of the sales order", nullable=False, key=True),
        Column("customer_code", Text(), "The ERP's code of the customer", nullable=False),
        Column("customer_name", Text(), "Name of the customer"),
        Column("item_code", Text(), "The ERP's code of the item; NULL on a line without one"),
        Column("item_description", Text(), "Description of the item"),
        Column("order_date", Date(), "Day of the order"),
        Column("due_date", Date(), "Day on which the line is due; NULL when none was promised"),
        Column("quantity_ordered", QUANTITY, "Quantity ordered"),
        Column("quantity_shipped", QUANTITY, "Quantity shipped so far"),
        Column("quantity_open", QUANTITY, "Quantity still to ship", nullable=False),
        Column("unit_price", MONEY, "Price of one unit, in `currency`"),
        Column("amount_open", MONEY, "Value of the open quantity, in `currency`"),
        Column("currency", Text(), "Currency code, as a rule ISO 4217"),
        Column("warehouse", Text(), "Code of the warehouse that ships"),
        Column("order_status", Text(), "The ERP's own word for the state of the line"),
        Column("source_updated_at", LocalTimestamp(), "Last change in the ERP, by the ERP's clock", last_change=True),
    ),
)

"""Landing, staging and publish in the orders database, for any contract.

The statements are in `include/sql/target`; this module binds values and fills in the contract's identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, groupby
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from open_orders import landing
from open_orders.contract import Column, Contract
from open_orders.key_order import KeyOrder
from open_orders.statements import load_statement
from open_orders.validation import (
    DUPLICATE,
    cast,
    column_reason,
    comparable,
    delivered,
    duplicate_reason,
    duplicated_key,
    is_valid,
    reject_reason,
    shown_key,
)

Connection = psycopg.Connection[Any]
CHANGES_KEPT = timedelta(days=7)
# A mass change must not hold up its sync, and one in every sync must not fill the disk within these days.
CHANGES_PER_SYNC = 100_000
CHANGES_KEPT_ROWS = 1_000_000
# So many differing rows are changed where a statement found them that only reads, for which PostgreSQL takes several
# processes.
FEW_DIFFERENCES = 10_000
# Rejects to look at for the most frequent reason: enough to tell, however many there are.
REASONS_LOOKED_AT = 10_000


@dataclass(frozen=True)
class Batch:
    """A batch of the landing table; `imported` and `rejected` are None until it is imported.

    `first_row` and `last_row` are the numbers of its rows. The others are places in landing (`ctid`) between which they
    are: those without, and those with a reason to be rejected.
    """

    batch_no: int
    first_row: int
    last_row: int
    landed: int
    imported: int | None
    rejected: int | None
    first: str | None
    last: str | None
    first_unstorable: str | None
    last_unstorable: str | None


@dataclass(frozen=True)
class Landed:
    """How many rows a run fetched, how many its batches say that landing holds, and how many batches there are.

    `in_order`: each row came with a higher key than the one before.
    """

    fetched: int | None
    landed: int
    batches: int
    in_order: bool


@dataclass(frozen=True)
class Reconciliation(Landed):
    """Row counts of one run, which must add up before publishing; `published` is what readers see until then.

    `differing` rows would change, be added or be closed; `places` are where up to `FEW_DIFFERENCES` of them are. While
    nothing is published neither is looked for, and `staged` is what was imported: the publish itself counts.
    """

    imported: int
    rejected: int
    unfinished: int
    staged: int
    published: int
    differing: int
    places: list[str]


@dataclass(frozen=True)
class ChangedColumn:
    """A source's column whose type is another than when it was last published, and since when it had been that."""

    name: str
    before: str
    since: datetime
    now: str


@dataclass(frozen=True)
class Future:
    """Landed rows that were changed later than it is, and the time and key of the latest."""

    rows: int
    latest: datetime
    key: str


@dataclass(frozen=True)
class Rejected:
    """A run's rejects: rows that repeat a key, with one such key, and the most frequent reason of the others."""

    duplicates: int
    duplicate: str | None
    reason: str | None


@dataclass(frozen=True)
class Published:
    """What a publish did to the published table, in rows."""

    inserted: int
    updated: int
    deleted: int
    total: int

    @property
    def unchanged(self) -> int:
        """Rows that were left as they were."""
        return self.total - self.inserted - self.updated


class Target:
    """The orders database as one run of one contract works on it; the caller owns connection and transactions."""

    def __init__(self, connection: Connection, contract: Contract, job_log_id: int) -> None:
        self.connection = connection
        self.contract = contract
        self._ids = {"job_log_id": job_log_id}

    def land(self, batches: Iterable[landing.Batch], batch_rows: int) -> int:
        """Replace the landing table by these rows, and return their number.

        A batch of the landing table is `batch_rows` rows, and the batches given go into one of it as they come.
        """
        self._execute("truncate_landing")
        landed: list[int] = []
        rows_landed = 0
        order = KeyOrder()
        # All batches of a fetch have the same form: then they are one COPY, into which PostgreSQL looks meanwhile.
        for form, alike in groupby(order.learn(batches), key=lambda batch: batch.form):
            with self.connection.cursor() as cursor, cursor.copy(_compose_copy(self.contract, form)) as copy:
                copy.write(form.head)
                for batch in alike:
                    if not landed or landed[-1] >= batch_rows:
                        landed.append(0)
                    batch.write(copy, rows_landed)
                    rows_landed += len(batch)
                    landed[-1] += len(batch)
                copy.write(form.tail)
        # An empty fetch has a batch too: it tells "nothing was delivered" from "another run took the table".
        landed = landed or [0]
        fetch = {**self._ids, "in_order": order.is_kept}
        placed = zip(accumulate(landed, initial=1), landed, strict=False)
        with self.connection.cursor() as cursor:
            cursor.executemany(
                self._compose("insert_batch"),
                [
                    fetch | {"batch_no": number, "first_row": first, "landed": rows}
                    for number, (first, rows) in enumerate(placed, start=1)
                ],
            )
        return rows_landed

    def note_columns(self, types: Mapping[str, str]) -> list[ChangedColumn]:
        """Keep the types of the landed columns until they are published; returns those that differ from the last."""
        given = {"contract": self.contract.table, "names": list(types), "types": list(types.values())}
        with self.connection.cursor(row_factory=class_row(ChangedColumn)) as cursor:
            return cursor.execute(self._compose("note_columns"), given).fetchall()

    def find_future(self, clock: datetime) -> Future | None:
        """Return the landed rows whose last change is later than the ERP's clock; None when there are none."""
        values = {"clock": clock.isoformat(" ", "microseconds")}
        with self.connection.cursor(row_factory=class_row(Future)) as cursor:
            return cursor.execute(self._compose("find_future"), values).fetchone()

    def truncate_staging(self) -> None:
        """Empty staging and forget what was imported or rejected from this run's batches."""
        self._execute("truncate_staging")
        self._execute("reset_batches", self._ids)
        self._execute("reset_rejected", {**self._ids, "contract": self.contract.table})

    def read_batches(self, *, in_order: bool) -> list[Batch]:
        """Return this run's batches, in order; empty when nothing landed, or when another run landed since.

        Of rows that are not `in_order` to be called after `mark_duplicates`, which moves some.
        """
        statement = _compose("select_batches", self.contract, "place_sampled" if in_order else "place_all")
        with self.connection.cursor(row_factory=class_row(Batch)) as cursor:
            return cursor.execute(statement, self._ids).fetchall()

    def mark_duplicates(self) -> None:
        """Have the import reject all valid rows of a key but the first; to be called before it.

        There are none where rows landed in the order of their keys.
        """
        self._execute("mark_duplicates")

    def import_batch(self, batch: Batch) -> tuple[int, int]:
        """Cast one landed batch into staging, save its rejects, and return (imported, rejected)."""
        rows = {**self._ids, **asdict(batch), "contract": self.contract.table}
        imported = rejected = 0
        if batch.landed:
            # Prepared from the first batch on: it takes a tenth of a small batch's time to read the statement.
            imported = self.connection.execute(self._compose("import_batch"), rows, prepare=True).rowcount
        if imported < batch.landed:
            row = self._execute("save_rejected", rows).fetchone()
            rejected = row[0] if row is not None else 0
        finished = self._execute("finish_batch", {**rows, "imported": imported, "rejected": rejected}).rowcount
        return (imported, rejected) if finished else (0, 0)

    def count_landed(self) -> Landed:
        """Return the counts that have to add up before the import."""
        with self.connection.cursor(row_factory=class_row(Landed)) as cursor:
            return cursor.execute(self._compose("count_landed"), self._ids).fetchone() or Landed(
                None, 0, 0, in_order=False
            )

    def reconcile(self) -> Reconciliation:
        """Return the counts that have to add up before publishing, and where staging and the published table differ."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            counts = cursor.execute(self._compose("reconcile"), self._ids).fetchone() or {}
            if not counts["published"]:
                return Reconciliation(**counts, staged=counts["imported"], differing=0, places=[])
            compared = cursor.execute(self._compose("compare"), {"most": FEW_DIFFERENCES}).fetchone() or {}
        return Reconciliation(**counts, **compared)

    def summarise_rejected(self) -> Rejected:
        """Return what this run's rejects are together."""
        values = {
            **self._ids,
            "contract": self.contract.table,
            "duplicate": DUPLICATE,
            "most": REASONS_LOOKED_AT,
        }
        duplicates, duplicate, reason = self._execute("summarise_rejected", values).fetchone() or (0, None, None)
        return Rejected(duplicates, duplicate and duplicated_key(duplicate), reason)

    def publish(self, counts: Reconciliation) -> Published:
        """Make the published table equal to staging, touching only rows that differ, and record what changed.

        The rows of a publish into an empty table are all new: those are not recorded one by one.
        """
        named = {**self._ids, "contract": self.contract.table}
        if counts.published:
            inserted, updated, deleted = self._publish_differences(counts)
        else:
            inserted, updated, deleted = self._execute("publish_all", self._ids).rowcount, 0, 0
        self._execute("prune_rejected", named)
        self._execute("accept_columns", named)
        kept = {"kept_since": datetime.now(UTC) - CHANGES_KEPT, "kept_rows": CHANGES_KEPT_ROWS}
        # More at once than a sync adds, so that they get fewer.
        self._execute("prune_changes", {**self._ids, **kept, "most": 2 * CHANGES_PER_SYNC})
        return Published(inserted, updated, deleted, total=counts.published + inserted - deleted)

    def _publish_differences(self, counts: Reconciliation) -> tuple[int, int, int]:
        """Return how many rows were inserted, updated and deleted."""
        if not counts.differing:
            return 0, 0, 0
        differing = "given_differences" if counts.differing == len(counts.places) else "find_differences"
        values = {**self._ids, "contract": self.contract.table, "most": CHANGES_PER_SYNC, "places": counts.places}
        statement = _compose("publish_differences", self.contract, differing)
        return self.connection.execute(statement, values).fetchone() or (0, 0, 0)

    def _execute(self, name: str, values: dict[str, Any] | None = None) -> psycopg.Cursor[Any]:
        return self.connection.execute(self._compose(name), values)

    def _compose(self, name: str) -> bytes:
        return _compose(name, self.contract)


@cache
def _compose(name: str, contract: Contract, part: str | None = None) -> bytes:
    """Return a statement; `part` is the one that stands in it as `part`."""
    parts = dict(_parts(contract))
    if part is not None:
        parts["part"] = load_statement(f"target/{part}").format(**parts)
    # As bytes, since to put one together takes longer than to run it on a small batch.
    return load_statement(f"target/{name}").format(**parts).as_bytes(None)


def _compose_copy(contract: Contract, form: landing.Form) -> sql.Composed:
    return load_statement("target/copy_landing").format(
        landing=sql.Identifier(contract.landing), landed=_list(form.columns), format=sql.SQL(form.format)
    )


def evict_sessions(connection: Connection, application_name: str) -> int:
    """End other sessions of that name and return how many there were: earlier attempts that outlived their process."""
    values = {"application_name": application_name}
    return len(connection.execute(load_statement("target/evict_sessions"), values).fetchall())


def _parts(contract: Contract) -> Iterator[tuple[str, sql.Composable]]:
    """Yield what a statement of `include/sql/target` may name, by name."""
    for name in ("table", "landing", "staging", "batches"):
        yield name, sql.Identifier(getattr(contract, name))
    yield "columns", _list(contract.names)
    yield "key", _list(contract.key)
    yield from _landed_parts(contract)
    yield from _published_parts(contract)
    yield (
        "same_rejected_key",
        sql.SQL(" AND ").join(
            sql.SQL('known."row" ->> {0} = current."row" ->> {0}').format(sql.Literal(name)) for name in contract.key
        ),
    )


def _landed_parts(contract: Contract) -> Iterator[tuple[str, sql.Composable]]:
    """Yield the expressions over a landed row."""
    keys = [column for column in contract.columns if column.key]
    yield "casts", _commas(map(cast, contract.columns))
    yield "is_valid", is_valid(contract)
    yield "reason", reject_reason(contract)
    yield "delivered", _commas(_named(delivered(column), column) for column in contract.columns)
    yield "duplicate_reason", duplicate_reason(contract)
    yield "shown_key", shown_key(contract)
    yield "comparable_key", _commas(_named(comparable(column), column) for column in keys)
    yield "comparable_key_numbers", _commas(sql.SQL(str(number)) for number in range(1, len(keys) + 1))
    if (last_change := contract.last_change) is not None and last_change.landed_typed is not None:
        yield "last_change", sql.Identifier(last_change.name)
        yield "last_change_typed", sql.Identifier(last_change.landed_typed)
        yield "last_change_reason", column_reason(last_change)


def _published_parts(contract: Contract) -> Iterator[tuple[str, sql.Composable]]:
    """Yield the expressions over rows that are published or staged."""
    values = [name for name in contract.names if name not in contract.key]
    yield "same_key", _pairs(contract.key, "published.{0} = staged.{0}", " AND ")
    no_published, no_staged = (_pairs(contract.key[:1], f"{row}.{{0}} IS NULL") for row in ("published", "staged"))
    yield (
        "kind",
        sql.SQL("CASE WHEN {} THEN 'new' WHEN {} THEN 'closed' ELSE 'changed' END").format(no_published, no_staged),
    )
    yield (
        "differs",
        sql.SQL("({} OR {} OR ({}) IS DISTINCT FROM ({}))").format(
            no_published, no_staged, _pairs(values, "published.{0}"), _pairs(values, "staged.{0}")
        ),
    )
    yield "staged_columns", _pairs(contract.names, "staged.{0}")
    yield "assignments", _pairs(values, "{0} = staged.{0}")
    yield "either_key", _pairs(contract.key, "coalesce(staged.{0}, published.{0})")
    yield "named_key", _pairs(contract.key, "coalesce(staged.{0}, published.{0}) AS {0}")
    unchanged = sql.SQL("CASE WHEN staged.{} IS NOT DISTINCT FROM published.{} THEN {} END")
    yield "names_of_unchanged", _commas(unchanged.format(*[sql.Identifier(name)] * 2, name) for name in contract.names)


def _list(names: Iterable[str]) -> sql.Composed:
    return _pairs(names, "{0}")


def _named(expression: sql.Composable, column: Column) -> sql.Composed:
    return sql.SQL("{} AS {}").format(expression, sql.Identifier(column.name))


def _commas(expressions: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(expressions)


def _pairs(names: Iterable[str], pattern: LiteralString, separator: LiteralString = ", ") -> sql.Composed:
    return sql.SQL(separator).join(sql.SQL(pattern).format(sql.Identifier(name)) for name in names)

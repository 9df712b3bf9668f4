"""Create the sample ERP, fill it, and let time pass in it."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import pymssql

from sandbox.erp.sample import (
    FIRST_ORDER,
    WAREHOUSES,
    Order,
    make_customers,
    make_items,
    make_order,
    make_orders,
)
from sandbox.erp.schema import OPEN_LINE, TABLES

# SQL Server takes at most 1000 rows in one VALUES list (error 10738).
ROWS_PER_INSERT = 1000
INVALID_OBJECT = 208
DEFAULT_OPEN_LINES = 5000
# What happens to the open lines in one tick; about 1 % of them in sum.
ARRIVING, SHIPPING, CHANGING, CLOSING = 0.003, 0.003, 0.002, 0.003


@dataclass(frozen=True)
class Changes:
    """How many order lines a stretch of the ERP's life touched."""

    arrived: int = 0
    shipped: int = 0
    changed: int = 0
    closed: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.arrived + other.arrived,
            self.shipped + other.shipped,
            self.changed + other.changed,
            self.closed + other.closed,
        )

    def __str__(self) -> str:
        return (
            f"{self.arrived} lines arrived, {self.shipped} shipped partly, "
            f"{self.changed} changed price or due date, {self.closed} closed"
        )


def count_open_lines(connection: pymssql.Connection) -> int | None:
    """Return the number of open order lines, or None where the tables do not exist yet."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SELECT COUNT(*) FROM dbo.SalesOrderLines WHERE {OPEN_LINE}")  # noqa: S608 - constants and numbers
        except pymssql.Error as error:
            if error.args and error.args[0] == INVALID_OBJECT:
                connection.rollback()
                return None
            raise
        return _read_number(cursor)


def seed(
    connection: pymssql.Connection,
    open_lines: int = DEFAULT_OPEN_LINES,
    *,
    now: datetime,
    random_seed: int = 20_260_101,
    report: Callable[[int], None] | None = None,
) -> None:
    """Create the tables and fill them, all in one transaction.

    Two of the open lines, of the orders 1 and 2, have an order number of blanks: they break the contract, so that
    every sync shows rejected orders.

    Args:
        connection: to the ERP's database, not in autocommit.
        open_lines: how many order lines are open afterwards; closed ones come on top.
        now: the ERP's local time; order dates end here.
        random_seed: the same seed and time give the same rows.
        report: called with the number of lines written so far.
    """
    rng = random.Random(random_seed)  # noqa: S311 - a made-up ERP
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(table)
        _insert(cursor, "dbo.Customers (CustomerId, CustomerCode, CustomerName)", make_customers(rng))
        _insert(cursor, "dbo.Items (ItemId, ItemCode, Description)", make_items(rng))
        _insert(cursor, "dbo.Warehouses (WarehouseId, WarehouseCode)", enumerate(WAREHOUSES, start=1))
        written = 0
        orders = make_orders(rng, open_lines, now)
        while some := list(islice(orders, ROWS_PER_INSERT)):
            written += _insert_orders(cursor, some)
            if report is not None:
                report(written)
    connection.commit()


def advance(connection: pymssql.Connection, ticks: int = 1, *, now: datetime, rng: random.Random) -> Changes:
    """Let some orders arrive, ship partly, change and close, a transaction a tick; those of two sessions take turns.

    Args:
        connection: to the ERP's database, not in autocommit.
        ticks: each touches about 1 % of the open lines, at least one line in each way.
        now: the ERP's local time, stamped on what changes.
        rng: decides what happens to whom.
    """
    total = Changes()
    for _ in range(ticks):
        with connection.cursor() as cursor:
            changes = _advance_once(cursor, now, rng)
        connection.commit()
        total += changes
    return total


def read_last_change(connection: pymssql.Connection) -> datetime | None:
    """Return when an order line last changed, in the ERP's local time, or None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT MAX(UpdatedAt) FROM dbo.SalesOrderLines")
        row = cursor.fetchone()
    return row[0] if row else None


def _read_number(cursor: Any) -> int:
    row = cursor.fetchone()
    if row is None:
        # The stand-in leaves rows out on purpose (zero_rows): as good as a server that is away.
        raise pymssql.OperationalError("no row came for a count")
    return int(row[0] or 0)


def _advance_once(cursor: Any, now: datetime, rng: random.Random) -> Changes:
    # Locks out other ticks until this one is committed: the next order's number is one more than the last one's.
    cursor.execute("UPDATE dbo.Warehouses SET WarehouseCode = WarehouseCode WHERE WarehouseId = 1")
    cursor.execute(f"SELECT COUNT(*) FROM dbo.SalesOrderLines WHERE {OPEN_LINE}")  # noqa: S608 - constants and numbers
    open_lines = _read_number(cursor)
    cursor.execute("SELECT MAX(SalesOrderId) FROM dbo.SalesOrders")
    last_order = _read_number(cursor)
    stamp = now.isoformat(timespec="milliseconds")

    def update(assignments: str, parameters: tuple[object, ...], share: float) -> int:
        orders = _pick_orders(cursor, rng, last_order, max(1, round(open_lines * share)))
        return _update(cursor, assignments, (*parameters, stamp), orders)

    shipped = update(
        "QuantityShipped = QuantityShipped + (QuantityOrdered - QuantityShipped) * 0.4, Status = N'Partially shipped'",
        (),
        SHIPPING,
    )
    changed = update(
        "UnitPrice = UnitPrice * %s, DueDate = %s",
        (Decimal(rng.choice(("0.95", "1.05", "1.10"))), now.date() + timedelta(days=rng.randrange(5, 60))),
        CHANGING,
    )
    closed = update("QuantityShipped = QuantityOrdered, Status = N'Closed'", (), CLOSING)
    arrived = _insert_orders(cursor, _arrive(rng, last_order + 1, max(1, round(open_lines * ARRIVING)), now))
    return Changes(arrived, shipped, changed, closed)


def _arrive(rng: random.Random, next_order: int, lines: int, now: datetime) -> list[Order]:
    orders: list[Order] = []
    while lines > 0:
        line_count = min(rng.randint(1, 8), lines)
        orders.append(make_order(rng, next_order + len(orders), line_count, now))
        lines -= line_count
    return orders


def _pick_orders(cursor: Any, rng: random.Random, last_order: int, lines: int) -> list[int]:
    """Return the ids of orders that have about `lines` open lines, from a random place on."""
    start = rng.randint(FIRST_ORDER, max(FIRST_ORDER, last_order))
    cursor.execute(
        f"SELECT TOP {lines:d} SalesOrderId FROM dbo.SalesOrderLines"  # noqa: S608 - constants and numbers
        f" WHERE {OPEN_LINE} AND SalesOrderId >= %s ORDER BY SalesOrderId, LineNumber",
        (start,),
    )
    return list(dict.fromkeys(row[0] for row in cursor.fetchall()))


def _update(cursor: Any, assignments: str, parameters: tuple[object, ...], orders: Iterable[int]) -> int:
    changed = 0
    ids = iter(orders)
    while some := tuple(islice(ids, ROWS_PER_INSERT)):
        cursor.execute(
            f"UPDATE dbo.SalesOrderLines SET {assignments}, UpdatedAt = %s"  # noqa: S608 - constants and numbers
            f" WHERE SalesOrderId IN ({', '.join(['%s'] * len(some))}) AND {OPEN_LINE}",
            (*parameters, *some),
        )
        changed += cursor.rowcount
    return changed


def _insert_orders(cursor: Any, orders: list[Order]) -> int:
    _insert(
        cursor,
        "dbo.SalesOrders (SalesOrderId, OrderNumber, CustomerId, OrderDate, CurrencyCode, UpdatedAt)",
        (
            (
                order.order_id,
                order.order_number,
                order.customer_id,
                order.order_date,
                order.currency,
                order.updated_at,
            )
            for order in orders
        ),
    )
    return _insert(
        cursor,
        "dbo.SalesOrderLines (SalesOrderId, LineNumber, ItemId, WarehouseId, DueDate,"
        " QuantityOrdered, QuantityShipped, UnitPrice, Status, UpdatedAt)",
        (tuple(vars(line).values()) for line in chain.from_iterable(order.lines for order in orders)),
    )


def _insert(cursor: Any, target: str, rows: Iterable[tuple[object, ...]]) -> int:
    """Write the rows in as few statements as allowed; return their number."""
    inserted = 0
    for some in _batch(rows):
        row = f"({', '.join(['%s'] * len(some[0]))})"
        values = ", ".join([row] * len(some))
        statement = f"INSERT INTO {target} VALUES {values}"  # noqa: S608 - constants and numbers
        cursor.execute(statement, tuple(chain.from_iterable(some)))
        inserted += len(some)
    return inserted


def _batch(rows: Iterable[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS_PER_INSERT)):
        yield some

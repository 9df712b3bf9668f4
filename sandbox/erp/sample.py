"""Sample customers, items and orders: random, but the same for the same seed and day."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

CURRENCIES = ("TRY", "TRY", "TRY", "EUR", "EUR", "USD")
WAREHOUSES = ("IST-01", "IZM-01", "ANK-02", "HAM-01", "OSA-01")
CUSTOMER_NAMES = (
    "Çağlayan Gıda Sanayi ve Ticaret A.Ş.",
    "Işıklar Döküm Makina Ltd. Şti.",
    "Öztürk Tekstil İhracat A.Ş.",
    "Güneşoğlu Yapı Malzemeleri",
    "Şişecam Ürünleri Dağıtım",
    "Yıldırım Otomotiv Yan Sanayi",
    "Müller & Söhne Maschinenbau GmbH",
    "Großhandel Weiß KG",
    "Börner Fördertechnik AG",
    "Ateliers Lefèvre S.A.",
    "Piñón y Compañía S.L.",
    "O'Connor Marine Supplies Ltd",
    "東京精密部品株式会社",
    "上海机械进出口有限公司",
    "한빛전자 주식회사",
    "Λάμπρου Εμπορική Α.Ε.",
    "Завод «Прогресс»",
    'Nordlys "Fjord" Shipping AS',
)
ITEM_KINDS = (
    ("BRG", "Bilyalı rulman"),
    ("VLV", "Küresel vana, paslanmaz çelik"),
    ("GBX", "Getriebe für Förderband"),
    ("SNS", "Näherungsschalter M12"),
    ("MTR", "Asynchronous motor, 3-phase"),
    ("FLT", "油フィルター"),
    ("CBL", "Kontrol kablosu 4×1,5 mm²"),
    ("PMP", "Pompe centrifuge à eau"),
)
CUSTOMERS = 240
ITEMS = 600
# Orders 1 and 2 carry a blank order number, which breaks the contract of an open order.
BLANK_ORDERS = (1, 2)
FIRST_ORDER = 3


@dataclass(frozen=True)
class OrderLine:
    """A row of dbo.SalesOrderLines, in the table's column order."""

    order_id: int
    line_number: int
    item_id: int
    warehouse_id: int
    due_date: date | None
    quantity_ordered: Decimal
    quantity_shipped: Decimal
    unit_price: Decimal
    status: str
    updated_at: datetime


@dataclass(frozen=True)
class Order:
    """A row of dbo.SalesOrders and its lines."""

    order_id: int
    order_number: str
    customer_id: int
    order_date: date
    currency: str
    updated_at: datetime
    lines: tuple[OrderLine, ...]


def make_customers(rng: random.Random) -> Iterator[tuple[int, str, str]]:
    """Yield rows of dbo.Customers."""
    for customer_id in range(1, CUSTOMERS + 1):
        name = CUSTOMER_NAMES[(customer_id - 1) % len(CUSTOMER_NAMES)]
        branch = (customer_id - 1) // len(CUSTOMER_NAMES)
        suffix = f" – Şube {branch}" if branch else ""
        yield customer_id, f"C{rng.randrange(100, 1000)}-{customer_id:04d}", name + suffix


def make_items(rng: random.Random) -> Iterator[tuple[int, str, str | None]]:
    """Yield rows of dbo.Items; a few have no description, a few an emoji in it."""
    for item_id in range(1, ITEMS + 1):
        prefix, kind = rng.choice(ITEM_KINDS)
        description: str | None = f"{kind} {rng.randrange(10, 900)}"
        if item_id % 37 == 0:
            description = None
        elif item_id % 23 == 0:
            description = f"{description} ⚠️ kırılgan 🚚"
        yield item_id, f"{prefix}-{item_id:05d}", description


def make_order(rng: random.Random, order_id: int, line_count: int, ordered_at: datetime) -> Order:
    """Return an order of `line_count` open lines."""
    order_date = ordered_at.date()
    lines = tuple(_make_line(rng, order_id, number, ordered_at) for number in range(1, line_count + 1))
    return Order(
        order_id=order_id,
        order_number="   " if order_id in BLANK_ORDERS else f"SO{order_date.year % 100:02d}-{order_id:07d}",
        customer_id=rng.randrange(1, CUSTOMERS + 1),
        order_date=order_date,
        currency=rng.choice(CURRENCIES),
        updated_at=ordered_at,
        lines=lines,
    )


def make_orders(rng: random.Random, open_lines: int, now: datetime) -> Iterator[Order]:
    """Yield orders of 1-8 lines, `open_lines` of which are open.

    The first two, of one line each, have a blank order number. About one order in 20 comes on top with closed
    or cancelled lines. Order dates reach back 90 days, so that a good part of the lines is overdue.
    """
    order_id = 0
    while open_lines > 0:
        order_id += 1
        ordered_at = now - timedelta(minutes=rng.randrange(1, 90 * 24 * 60))
        if order_id >= FIRST_ORDER and rng.random() < 0.05:
            yield _finish(rng, make_order(rng, order_id, rng.randint(1, 8), ordered_at))
            continue
        line_count = 1 if order_id in BLANK_ORDERS else min(rng.randint(1, 8), open_lines)
        open_lines -= line_count
        yield make_order(rng, order_id, line_count, ordered_at)


def _make_line(rng: random.Random, order_id: int, number: int, ordered_at: datetime) -> OrderLine:
    ordered = Decimal(rng.randrange(10_000, 5_000_000, 2_500)).scaleb(-4)
    shipped = Decimal(0)
    status = rng.choice(("Open", "Open", "Released", "Released", "Backordered", "Partially shipped"))
    if status == "Partially shipped":
        shipped = (ordered * rng.randint(1, 9) / 10).quantize(Decimal("0.0001"))
    has_due_date = rng.random() > 0.03
    return OrderLine(
        order_id=order_id,
        line_number=number,
        item_id=rng.randrange(1, ITEMS + 1),
        warehouse_id=rng.randrange(1, len(WAREHOUSES) + 1),
        due_date=ordered_at.date() + timedelta(days=rng.randrange(3, 75)) if has_due_date else None,
        quantity_ordered=ordered,
        quantity_shipped=shipped,
        unit_price=Decimal(rng.randrange(1_500, 90_000_000)).scaleb(-4),
        status=status,
        updated_at=ordered_at,
    )


def _finish(rng: random.Random, order: Order) -> Order:
    closed = rng.random() < 0.8
    lines = tuple(
        replace(
            line,
            status="Closed" if closed else "Cancelled",
            quantity_shipped=line.quantity_ordered if closed else line.quantity_shipped,
        )
        for line in order.lines
    )
    return replace(order, lines=lines)

"""The example of a second contract: open purchase orders, in a scripted ERP."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "examples" / "open_purchase_orders"
CONTRACTS = EXAMPLE / "plugins" / "open_orders" / "contracts"
QUERY_FILE = EXAMPLE / "include" / "sql" / "source" / "open_purchase_orders.sql"
COLUMN_TYPES = {
    "purchase_order_number": "nvarchar(300)",
    "line_number": "int",
    "supplier_code": "nvarchar(40)",
    "supplier_name": "nvarchar(200)",
    "item_code": "varchar(60)",
    "expected_on": "date",
    "quantity_open": "decimal(18,4)",
    "amount_open": "decimal(19,4)",
    "currency": "char(3)",
    "source_updated_at": "datetime2(6)",
}


def purchase_order(number: str | None = "PO1", line: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a valid line of a purchase order, with some of its values changed."""
    values = {
        "purchase_order_number": number,
        "line_number": line,
        "supplier_code": "S1",
        "supplier_name": "Tedarikçi Ltd. Şti.",
        "item_code": "ITM-1",
        "expected_on": date(2026, 12, 20),
        "quantity_open": Decimal("12.5000"),
        "amount_open": Decimal("99.9000"),
        "currency": "TRY",
        "source_updated_at": datetime(2026, 11, 1, 12, 30, 15, 123456),
    }
    return values | changes

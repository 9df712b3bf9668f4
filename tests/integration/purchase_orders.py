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

# The tables that the example's query reads, with three open lines, one of them without an order number.
ERP_STATEMENTS = (
    "CREATE TABLE dbo.Suppliers (SupplierId int NOT NULL PRIMARY KEY, SupplierCode nvarchar(20) NOT NULL,"
    " SupplierName nvarchar(120) NOT NULL)",
    "CREATE TABLE dbo.PurchaseOrders (PurchaseOrderId int NOT NULL PRIMARY KEY, OrderNumber varchar(20) NOT NULL,"
    " SupplierId int NOT NULL, CurrencyCode char(3) NOT NULL)",
    "CREATE TABLE dbo.PurchaseOrderLines (PurchaseOrderId int NOT NULL, LineNumber int NOT NULL,"
    " ItemCode varchar(30) NULL, ExpectedOn date NULL, QuantityOrdered decimal(18,4) NOT NULL,"
    " QuantityReceived decimal(18,4) NOT NULL, UnitPrice decimal(19,4) NOT NULL, UpdatedAt datetime2(3) NOT NULL,"
    " PRIMARY KEY (PurchaseOrderId, LineNumber))",
    "INSERT INTO dbo.Suppliers VALUES (1, N'S1', N'Tedarikçi Ltd. Şti.')",
    "INSERT INTO dbo.PurchaseOrders VALUES (1, 'PO1', 1, 'TRY'), (2, 'PO2', 1, 'EUR'), (3, '  ', 1, 'EUR')",
    "INSERT INTO dbo.PurchaseOrderLines VALUES"
    " (1, 1, 'A', '2026-12-20', 10, 2.5, 3.25, '2026-11-01T10:00:00'),"
    " (1, 2, 'B', NULL, 4, 4, 1, '2026-11-01T10:00:00'),"
    " (2, 1, NULL, '2026-12-21', 1, 0, 99.9, '2026-11-01T10:00:00'),"
    " (3, 1, 'C', NULL, 1, 0, 1, '2026-11-01T10:00:00')",
)


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

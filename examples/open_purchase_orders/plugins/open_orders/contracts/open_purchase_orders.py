"""The contract of open purchase orders: what the company has ordered from its suppliers and not received yet."""

from __future__ import annotations

from open_orders.contract import KEY_TEXT, MONEY, QUANTITY, Column, Contract, Date, Integer, LocalTimestamp, Text

OPEN_PURCHASE_ORDERS = Contract(
    table="open_purchase_orders",
    noun="purchase order",
    columns=(
        Column("purchase_order_number", KEY_TEXT, "Number of the purchase order", nullable=False, key=True),
        Column("line_number", Integer(), "Line of the purchase order", nullable=False, key=True),
        Column("supplier_code", Text(), "The ERP's code of the supplier", nullable=False),
        Column("supplier_name", Text(), "Name of the supplier"),
        Column("item_code", Text(), "The ERP's code of the item"),
        Column("expected_on", Date(), "Day on which the delivery is expected"),
        Column("quantity_open", QUANTITY, "Quantity still to receive", nullable=False),
        Column("amount_open", MONEY, "Value of the open quantity, in `currency`"),
        Column("currency", Text(), "Currency code, as a rule ISO 4217"),
        Column("source_updated_at", LocalTimestamp(), "Last change in the ERP, by the ERP's clock", last_change=True),
    ),
)

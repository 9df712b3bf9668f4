"""Landing also holds values in the contract's types, and staging has no key: it took most of an import's time."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LANDING, STAGING, BATCHES = "open_orders_landing", "open_orders_staging", "open_orders_batches"
KEY = ("order_number", "line_number")
TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "line_number": sa.Integer(),
    "order_date": sa.Date(),
    "due_date": sa.Date(),
    "quantity_ordered": sa.Numeric(),
    "quantity_shipped": sa.Numeric(),
    "quantity_open": sa.Numeric(),
    "unit_price": sa.Numeric(),
    "amount_open": sa.Numeric(),
    "source_updated_at": sa.DateTime(),
}


def _create_staging(*before: sa.Column[Any], key: tuple[str, ...] = ()) -> None:
    op.create_table(
        STAGING,
        *before,
        sa.Column("order_number", sa.Text, nullable=False),
        sa.Column("line_number", sa.Integer, nullable=False),
        sa.Column("customer_code", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("customer_name", "item_code", "item_description")),
        sa.Column("order_date", sa.Date),
        sa.Column("due_date", sa.Date),
        sa.Column("quantity_ordered", sa.Numeric(18, 4)),
        sa.Column("quantity_shipped", sa.Numeric(18, 4)),
        sa.Column("quantity_open", sa.Numeric(18, 4), nullable=False),
        sa.Column("unit_price", sa.Numeric(19, 4)),
        sa.Column("amount_open", sa.Numeric(19, 4)),
        *(sa.Column(name, sa.Text) for name in ("currency", "warehouse", "order_status")),
        sa.Column("source_updated_at", sa.DateTime),
        *([sa.PrimaryKeyConstraint(*key, name=f"{STAGING}_pkey")] if key else []),
        prefixes=["UNLOGGED"],
    )


def upgrade() -> None:
    """Add the columns, and make staging anew: a column that was dropped would still take its time in each row."""
    for name, kind in TYPES.items():
        op.add_column(LANDING, sa.Column(f"{name}_typed", kind))
    op.drop_table(STAGING)
    _create_staging()


def downgrade() -> None:
    """Drop the columns; what a sync under way has fetched is lost, the next one fetches again."""
    op.execute(f"TRUNCATE {LANDING}, {BATCHES}")
    op.drop_table(STAGING)
    _create_staging(sa.Column("row_no", sa.BigInteger, nullable=False), key=KEY)
    for name in TYPES:
        op.drop_column(LANDING, f"{name}_typed")

"""Landing also holds values in the contract's types, and staging has no key: it took most of an import's time."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LANDING, STAGING = "open_orders_landing", "open_orders_staging"
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


def upgrade() -> None:
    """Add the columns. Repeated keys are found in landing before the import."""
    for name, kind in TYPES.items():
        op.add_column(LANDING, sa.Column(f"{name}_typed", kind))
    op.drop_constraint("open_orders_staging_pkey", STAGING)
    op.drop_column(STAGING, "row_no")


def downgrade() -> None:
    """Drop the columns; what a sync under way has fetched is lost, the next one fetches again."""
    op.execute(f"TRUNCATE {LANDING}, {STAGING}, open_orders_batches")
    op.add_column(STAGING, sa.Column("row_no", sa.BigInteger(), nullable=False))
    op.create_primary_key("open_orders_staging_pkey", STAGING, ["order_number", "line_number"])
    for name in TYPES:
        op.drop_column(LANDING, f"{name}_typed")

"""Open orders, rejected orders, and the unlogged tables of the pipeline."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)
CLOCK = sa.text("clock_timestamp()")
KEY = ("order_number", "line_number")


def _order_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("order_number", sa.Text, nullable=False),
        sa.Column("line_number", sa.Integer, nullable=False),
        sa.Column("customer_code", sa.Text, nullable=False),
        sa.Column("customer_name", sa.Text),
        sa.Column("item_code", sa.Text),
        sa.Column("item_description", sa.Text),
        sa.Column("order_date", sa.Date),
        sa.Column("due_date", sa.Date),
        sa.Column("quantity_ordered", sa.Numeric(18, 4)),
        sa.Column("quantity_shipped", sa.Numeric(18, 4)),
        sa.Column("quantity_open", sa.Numeric(18, 4), nullable=False),
        sa.Column("unit_price", sa.Numeric(19, 4)),
        sa.Column("amount_open", sa.Numeric(19, 4)),
        sa.Column("currency", sa.Text),
        sa.Column("warehouse", sa.Text),
        sa.Column("order_status", sa.Text),
        sa.Column("source_updated_at", sa.DateTime),
    ]


def _create_published() -> None:
    op.create_table(
        "open_orders",
        *_order_columns(),
        sa.Column("first_job_log_id", sa.BigInteger, nullable=False),
        sa.Column("changed_job_log_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*KEY, name="open_orders_pkey"),
    )
    op.create_table(
        "rejected_orders",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("row", JSONB, nullable=False),
        sa.Column("occurrences", sa.Integer, nullable=False),
        sa.Column("first_job_log_id", sa.BigInteger, nullable=False),
        sa.Column("last_job_log_id", sa.BigInteger, nullable=False),
        sa.Column("first_seen_at", TIMESTAMP, nullable=False, server_default=CLOCK),
        sa.Column("last_seen_at", TIMESTAMP, nullable=False, server_default=CLOCK),
        sa.PrimaryKeyConstraint("id", name="rejected_orders_pkey"),
        sa.UniqueConstraint("contract", "fingerprint", name="rejected_orders_contract_fingerprint_key"),
    )
    op.create_index("rejected_orders_last_job_log_id_idx", "rejected_orders", ["last_job_log_id"])


def _create_working() -> None:
    op.create_table(
        "open_orders_landing",
        sa.Column("job_log_id", sa.BigInteger, nullable=False),
        sa.Column("batch_no", sa.Integer, nullable=False),
        sa.Column("row_no", sa.BigInteger, nullable=False),
        *(sa.Column(column.name, sa.Text) for column in _order_columns()),
        sa.Column("unstorable", sa.Text),
        prefixes=["UNLOGGED"],
    )
    op.create_index("open_orders_landing_batch_no_idx", "open_orders_landing", ["batch_no"])
    op.create_table(
        "open_orders_staging",
        sa.Column("row_no", sa.BigInteger, nullable=False),
        *_order_columns(),
        sa.PrimaryKeyConstraint(*KEY, name="open_orders_staging_pkey"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "open_orders_batches",
        sa.Column("job_log_id", sa.BigInteger, nullable=False),
        sa.Column("batch_no", sa.Integer, nullable=False),
        sa.Column("landed", sa.BigInteger, nullable=False),
        sa.Column("imported", sa.BigInteger),
        sa.Column("rejected", sa.BigInteger),
        sa.PrimaryKeyConstraint("job_log_id", "batch_no", name="open_orders_batches_pkey"),
        prefixes=["UNLOGGED"],
    )


def upgrade() -> None:
    """Create the published tables and the working ones."""
    _create_published()
    _create_working()


def downgrade() -> None:
    """Drop them; open orders come back with the next sync, the history of rejected orders is lost."""
    for table in (
        "open_orders_batches",
        "open_orders_staging",
        "open_orders_landing",
        "rejected_orders",
        "open_orders",
    ):
        op.drop_table(table)

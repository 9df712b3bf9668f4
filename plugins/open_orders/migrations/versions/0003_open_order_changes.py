"""What each sync changed in the open orders, for the last days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)
CLOCK = sa.text("clock_timestamp()")


def upgrade() -> None:
    """Create the table of changes, and the index that finds the orders which a sync changed."""
    op.create_table(
        "open_order_changes",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("job_log_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", JSONB, nullable=False),
        sa.Column("before", JSONB),
        sa.Column("after", JSONB),
        sa.Column("created_at", TIMESTAMP, nullable=False, server_default=CLOCK),
        sa.PrimaryKeyConstraint("id", name="open_order_changes_pkey"),
        sa.CheckConstraint("kind IN ('new', 'changed', 'closed')", name="open_order_changes_kind_check"),
    )
    op.create_index("open_order_changes_job_log_id_kind_id_idx", "open_order_changes", ["job_log_id", "kind", "id"])
    op.create_index("open_order_changes_created_at_idx", "open_order_changes", ["created_at"])
    op.create_index("open_orders_changed_job_log_id_idx", "open_orders", ["changed_job_log_id"])


def downgrade() -> None:
    """Drop them; what earlier syncs changed is lost, the next one records its changes anew."""
    op.drop_index("open_orders_changed_job_log_id_idx", "open_orders")
    op.drop_table("open_order_changes")

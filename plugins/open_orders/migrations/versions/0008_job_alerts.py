"""How each job stands, so that an alert is sent when that changes, once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table; a job counts as well until its next run ends or is missed."""
    op.create_table(
        "job_alerts",
        sa.Column("job_name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'well'")),
        sa.Column("since", TIMESTAMP, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("reason", sa.Text),
        sa.Column("job_log_id", sa.BigInteger),
        sa.Column("due_since", TIMESTAMP),
        sa.Column("due_at", TIMESTAMP),
        sa.Column("title", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("claimed_at", TIMESTAMP),
        sa.Column("delivered_at", TIMESTAMP),
        sa.Column("failure", sa.Text),
        sa.PrimaryKeyConstraint("job_name", name="job_alerts_pkey"),
        sa.CheckConstraint("state IN ('well', 'failing', 'overdue')", name="job_alerts_state_check"),
    )


def downgrade() -> None:
    """Drop it; how each job stood is lost, and one that is broken at the next upgrade is told once more."""
    op.drop_table("job_alerts")

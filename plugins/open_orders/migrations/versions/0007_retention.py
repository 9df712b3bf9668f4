"""Which job logs lost their messages to age, and the index that finds those that still have them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both."""
    op.add_column("job_logs", sa.Column("details_deleted_at", sa.DateTime(timezone=True)))
    op.create_index(
        "job_logs_details_kept_idx",
        "job_logs",
        ["status", "completed_at", "id"],
        postgresql_where=sa.text("details_deleted_at IS NULL OR details_deleted_at < completed_at"),
    )


def downgrade() -> None:
    """Drop them; which logs lost messages to age is lost, and pages say of such a log that it has none."""
    op.drop_index("job_logs_details_kept_idx", "job_logs")
    op.drop_column("job_logs", "details_deleted_at")

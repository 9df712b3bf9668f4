"""Indexes for the list of job logs: all of them in the order of its pages, and those of one job with one status."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them; the first one does all that the index on the time alone did."""
    op.create_index("job_logs_created_at_id_idx", "job_logs", ["created_at", "id"])
    op.create_index(
        "job_logs_job_name_status_created_at_id_idx", "job_logs", ["job_name", "status", "created_at", "id"]
    )
    op.drop_index("job_logs_created_at_idx", "job_logs")


def downgrade() -> None:
    """Restore the index on the time alone; nothing is lost."""
    op.create_index("job_logs_created_at_idx", "job_logs", ["created_at"])
    op.drop_index("job_logs_job_name_status_created_at_id_idx", "job_logs")
    op.drop_index("job_logs_created_at_id_idx", "job_logs")

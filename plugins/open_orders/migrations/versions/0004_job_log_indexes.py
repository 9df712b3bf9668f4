"""Indexes for the list of job logs: newest first, of one status or of one job."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them; the first one does all that the index on the status alone did."""
    op.create_index("job_logs_status_created_at_id_idx", "job_logs", ["status", "created_at", "id"])
    op.create_index("job_logs_job_name_created_at_id_idx", "job_logs", ["job_name", "created_at", "id"])
    op.drop_index("job_logs_status_idx", "job_logs")


def downgrade() -> None:
    """Restore the index on the status alone; nothing is lost."""
    op.create_index("job_logs_status_idx", "job_logs", ["status"])
    op.drop_index("job_logs_job_name_created_at_id_idx", "job_logs")
    op.drop_index("job_logs_status_created_at_id_idx", "job_logs")

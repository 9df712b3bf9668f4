"""Job logs and their details."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)
CLOCK = sa.text("clock_timestamp()")


def upgrade() -> None:
    """Create `job_logs` and `job_log_details`."""
    op.create_table(
        "job_logs",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("job_name", sa.Text, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("dag_id", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("clear_number", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("triggered_by", sa.Text),
        sa.Column("started_at", TIMESTAMP, nullable=False),
        sa.Column("completed_at", TIMESTAMP),
        sa.Column("run_started_at", TIMESTAMP),
        sa.Column("succeeded_at", TIMESTAMP),
        sa.Column("heartbeat_at", TIMESTAMP, nullable=False),
        *(
            sa.Column(count, sa.BigInteger)
            for count in ("fetched", "imported", "rejected", "inserted", "updated", "deleted", "total_after")
        ),
        sa.Column("step", sa.Text),
        sa.Column("step_try", sa.Integer),
        sa.Column("error_summary", sa.Text),
        sa.Column("created_at", TIMESTAMP, nullable=False, server_default=CLOCK),
        sa.Column("updated_at", TIMESTAMP, nullable=False, server_default=CLOCK),
        sa.PrimaryKeyConstraint("id", name="job_logs_pkey"),
        sa.UniqueConstraint("name", name="job_logs_name_key"),
        sa.UniqueConstraint("dag_id", "run_id", name="job_logs_dag_id_run_id_key"),
        sa.CheckConstraint("status BETWEEN 0 AND 3", name="job_logs_status_check"),
    )
    op.create_index("job_logs_status_idx", "job_logs", ["status"])
    op.create_index("job_logs_created_at_idx", "job_logs", ["created_at"])
    op.create_table(
        "job_log_details",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("job_log_id", sa.BigInteger, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text),
        sa.Column("try_number", sa.Integer),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False, server_default=CLOCK),
        sa.PrimaryKeyConstraint("id", name="job_log_details_pkey"),
        sa.ForeignKeyConstraint(
            ["job_log_id"], ["job_logs.id"], name="job_log_details_job_log_id_fkey", ondelete="CASCADE"
        ),
        sa.CheckConstraint("level IN ('info', 'warning', 'error')", name="job_log_details_level_check"),
    )
    op.create_index("job_log_details_job_log_id_id_idx", "job_log_details", ["job_log_id", "id"])
    op.create_index("job_log_details_created_at_idx", "job_log_details", ["created_at"])


def downgrade() -> None:
    """Drop both tables; the history of all job logs is lost."""
    op.drop_table("job_log_details")
    op.drop_table("job_logs")

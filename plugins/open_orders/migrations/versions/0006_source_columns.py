"""Which types the source's columns had when their rows were published, to notice one that changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; it is empty until the next fetch, so that nothing seems to have changed."""
    op.create_table(
        "source_columns",
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("fetched_type", sa.Text, nullable=False),
        sa.Column("published_type", sa.Text),
        sa.Column("published_since", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("contract", "name", name="source_columns_pkey"),
    )


def downgrade() -> None:
    """Drop it; the types are lost, and one that changes before the next upgrade goes unnoticed."""
    op.drop_table("source_columns")

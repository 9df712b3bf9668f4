"""Landing's rows belong to a batch by their number, and batches say whether they came in the order of their keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change both tables of each contract; what a sync under way has fetched is lost, the next one fetches again."""
    for landing, batches in _working_tables():
        op.execute(f"TRUNCATE {landing}, {batches}")
        op.drop_column(landing, "job_log_id")
        op.drop_column(landing, "batch_no")
        op.add_column(batches, sa.Column("first_row", sa.BigInteger, nullable=False))
        op.add_column(batches, sa.Column("in_order", sa.Boolean, nullable=False))


def downgrade() -> None:
    """Change them back; what a sync under way has fetched is lost, the next one fetches again."""
    for landing, batches in _working_tables():
        op.execute(f"TRUNCATE {landing}, {batches}")
        op.add_column(landing, sa.Column("job_log_id", sa.BigInteger, nullable=False))
        op.add_column(landing, sa.Column("batch_no", sa.Integer, nullable=False))
        op.drop_column(batches, "first_row")
        op.drop_column(batches, "in_order")


def _working_tables() -> list[tuple[str, str]]:
    """Return landing and batches of `open_orders`, and of the contracts that a deployment adds."""
    tables = sa.inspect(op.get_bind()).get_table_names()
    pairs = [(table, f"{table.removesuffix('_landing')}_batches") for table in tables if table.endswith("_landing")]
    return [pair for pair in pairs if pair[1] in tables]

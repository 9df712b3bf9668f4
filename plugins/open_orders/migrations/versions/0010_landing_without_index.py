"""Landing has no index any more: it took a third of the time that landing rows takes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the index of each contract's landing table; a sync under way goes on, a little slower."""
    for table in _landing_tables():
        op.drop_index(f"{table}_batch_no_idx", table, if_exists=True)


def downgrade() -> None:
    """Make them again; nothing is lost."""
    for table in _landing_tables():
        op.create_index(f"{table}_batch_no_idx", table, ["batch_no"], if_not_exists=True)


def _landing_tables() -> list[str]:
    """Return those that there are: of `open_orders`, and of the contracts that a deployment adds."""
    tables = sa.inspect(op.get_bind()).get_table_names()
    return [
        table
        for table in tables
        if table.endswith("_landing") and f"{table.removesuffix('_landing')}_batches" in tables
    ]

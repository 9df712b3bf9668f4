"""Published tables have the index of their key alone: the one of what changed took a sixth of a first publish."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMN = "changed_job_log_id"


def upgrade() -> None:
    """Drop the index of each contract's published table; who asks for what changed has all lines looked through."""
    inspector = sa.inspect(op.get_bind())
    for table in _published_tables():
        for index in inspector.get_indexes(table):
            if index["name"] and index["column_names"] == [COLUMN]:
                op.drop_index(index["name"], table)


def downgrade() -> None:
    """Make them again; nothing is lost."""
    for table in _published_tables():
        # PostgreSQL's longest name has 63 characters.
        op.create_index(f"{table}_{COLUMN}_idx"[:63], table, [COLUMN])


def _published_tables() -> list[str]:
    """Return those that there are: `open_orders`, and of the contracts that a deployment adds."""
    tables = sa.inspect(op.get_bind()).get_table_names()
    return [table for table in tables if f"{table}_landing" in tables]

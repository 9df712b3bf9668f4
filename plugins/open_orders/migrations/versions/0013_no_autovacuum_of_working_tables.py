"""Autovacuum leaves landing and staging alone: each sync fills them anew, and one begun meanwhile waited for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Turn it off for both tables of each contract; a sync under way goes on."""
    for table in _landing_and_staging_tables():
        op.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")


def downgrade() -> None:
    """Turn it on again; nothing is lost."""
    for table in _landing_and_staging_tables():
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


def _landing_and_staging_tables() -> list[str]:
    """Return those of `open_orders`, and of the contracts that a deployment adds."""
    tables = sa.inspect(op.get_bind()).get_table_names()
    contracts = [table.removesuffix("_batches") for table in tables if table.endswith("_batches")]
    names = [f"{contract}_{part}" for contract in contracts for part in ("landing", "staging")]
    return [name for name in names if name in tables]

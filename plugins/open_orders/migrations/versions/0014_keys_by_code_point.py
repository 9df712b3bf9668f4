"""Keys are sorted by code point: a language's rules take an index twice as long, and a new system may change them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the keys of each contract that are texts; their index is made anew."""
    _collate("C")


def downgrade() -> None:
    """Sort them by the rules of the database's language again; nothing is lost."""
    _collate("default")


def _collate(collation: str) -> None:
    """Give keys that are texts this collation, in the published and the staging table of each contract."""
    found = sa.inspect(op.get_bind())
    tables = set(found.get_table_names())
    contracts = {table.removesuffix("_batches") for table in tables if table.endswith("_batches")}
    for published in sorted(contracts & tables):
        key = found.get_pk_constraint(published)["constrained_columns"]
        for column in found.get_columns(published):
            if column["name"] in key and isinstance(column["type"], sa.Text):
                for table in sorted({published, f"{published}_staging"} & tables):
                    op.alter_column(table, column["name"], type_=sa.Text(collation=collation))

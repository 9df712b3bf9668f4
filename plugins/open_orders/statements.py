"""The SQL statements in `include/sql`, by name."""

from __future__ import annotations

from functools import cache

from psycopg import sql

from open_orders.settings import SQL_DIR


@cache
def load_statement(name: str) -> sql.SQL:
    """Return the statement of `include/sql/<name>.sql`; its values are bound by name, its identifiers formatted in.

    Raises FileNotFoundError when the deployment lacks the file.
    """
    # The files are part of this code base, as trusted as a literal.
    return sql.SQL((SQL_DIR / f"{name}.sql").read_text(encoding="utf-8"))

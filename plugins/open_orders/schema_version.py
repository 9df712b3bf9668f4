"""Which revision of the orders database this code works with.

Kept apart from Alembic, which every task would otherwise have to import to check one row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from open_orders.errors import SchemaVersionError

if TYPE_CHECKING:
    from psycopg import Connection

VERSION_TABLE = "open_orders_alembic_version"
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
HEAD = REVISIONS[-1]


def check_revision(connection: Connection[Any]) -> str:
    """Return the database's revision if it is this code's; raises SchemaVersionError naming the command to run."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SchemaVersionError(
            f"The orders database has the encoding {encoding}, expected UTF8: create one with ENCODING 'UTF8', "
            "and run: bin/migrate"
        )
    found = read_revision(connection)
    if found == HEAD:
        return found
    if found is None:
        raise SchemaVersionError(f"The orders database has no tables yet (expected revision {HEAD}). Run: bin/migrate")
    if found in REVISIONS:
        raise SchemaVersionError(
            f"The orders database is behind the code: revision {found}, expected {HEAD}. Run: bin/migrate"
        )
    raise SchemaVersionError(
        f"The orders database is ahead of the code: revision {found}, expected {HEAD}. Deploy the release that "
        f"made revision {found}, or with that release run: bin/migrate downgrade {HEAD}"
    )


def read_revision(connection: Connection[Any]) -> str | None:
    """Return the revision that the database is at, or None when it was never migrated.

    Raises psycopg's InsufficientPrivilege when it was, but this role may not look.
    """
    exists = connection.execute("SELECT to_regclass(%s)", [VERSION_TABLE]).fetchone()
    if exists is None or exists[0] is None:
        _fail_if_hidden(connection)
        return None
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 - a constant
    return None if row is None else str(row[0])


def _fail_if_hidden(connection: Connection[Any]) -> None:
    """Have the server refuse a table in a schema that this role may not use: to such a role it does not exist."""
    hidden = connection.execute(
        """SELECT oid::regclass::text FROM pg_class
           WHERE relname = %s AND NOT has_schema_privilege(relnamespace, 'USAGE')""",
        [VERSION_TABLE],
    ).fetchone()
    if hidden is not None:
        connection.execute(f"TABLE {hidden[0]}")

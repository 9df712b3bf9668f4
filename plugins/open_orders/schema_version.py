"""Which revision of the orders database this code works with, and whether the tables of a contract are as it says.

Kept apart from Alembic, which every task would otherwise have to import to check one row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from open_orders.contract import RESERVED, Contract
from open_orders.errors import SchemaVersionError
from open_orders.statements import load_statement

if TYPE_CHECKING:
    from psycopg import Connection

VERSION_TABLE = "open_orders_alembic_version"
REVISIONS = tuple(f"{number:04}" for number in range(1, 15))
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


def check_tables(connection: Connection[Any], contract: Contract) -> None:
    """Raise SchemaVersionError, naming the command to run, when a contract's tables are not those that it describes."""
    missing, differing = compare_tables(connection, contract)
    if missing:
        raise SchemaVersionError(f"The orders database lacks the table {', '.join(missing)}. Run: bin/migrate")
    if differing:
        words = "; ".join(difference for table in differing.values() for difference in table)
        if contract.table not in differing:
            raise SchemaVersionError(
                f"The working tables of {contract.table} are not those of its contract: {words}. Run: bin/migrate"
            )
        raise SchemaVersionError(
            f"The tables of {contract.table} are not those of its contract: {words}. Correct the contract, or make "
            f"them anew, empty until the next sync, with: bin/migrate rebuild {contract.table}"
        )


def compare_tables(connection: Connection[Any], contract: Contract) -> tuple[list[str], dict[str, list[str]]]:
    """Return which of a contract's tables are missing, and of each that differs from it how, in words."""
    typed = {column.name: (column.type.pg_type, column.nullable) for column in contract.columns}
    # Of each table the columns, and the key if it has to have one.
    expected = {
        contract.table: (typed, contract.key),
        contract.landing: ({name: (kind, True) for name, kind in contract.landing_columns()}, ()),
        contract.staging: (typed, ()),
    }
    missing: list[str] = []
    differing: dict[str, list[str]] = {}
    for table in (contract.table, *contract.working_tables):
        row = connection.execute(load_statement("target/describe_table"), {"table": table}).fetchone()
        found, found_key = (row[0] or {}, row[1] or []) if row else ({}, [])
        if not found:
            missing.append(table)
        elif table in expected and (words := list(_compare(table, found, found_key, *expected[table]))):
            differing[table] = words
    return missing, differing


def _compare(
    table: str,
    found: Mapping[str, Sequence[Any]],
    found_key: Sequence[str],
    columns: Mapping[str, tuple[str, bool]],
    key: Sequence[str],
) -> Iterator[str]:
    """Yield how a table differs from the columns (type, nullable) and the key that it should have, in words."""
    for name, wanted in columns.items():
        if tuple(found.get(name, ())) != wanted:
            words = _words(*found[name]) if name in found else "missing"
            yield f"{table}.{name} is {words}, expected {_words(*wanted)}"
    for name in found:
        if name not in columns and name not in RESERVED:
            yield f"{table}.{name} is not in the contract"
    if sorted(found_key) != sorted(key):
        yield f"the key of {table} is {', '.join(found_key) or 'none'}, expected {', '.join(key) or 'none'}"


def _words(pg_type: str, nullable: bool) -> str:
    return pg_type if nullable else f"{pg_type} NOT NULL"


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

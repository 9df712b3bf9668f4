"""Check the orders database: that it can be reached, fits, and lets its two roles do what they have to and no more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException

from open_orders.check.findings import Finding, failed, first_line, good, note
from open_orders.contracts import find_contracts
from open_orders.errors import SchemaVersionError
from open_orders.job_log_hook import JobLogHook
from open_orders.masking import hide_secrets
from open_orders.roles.provision import our_tables, reader_rights, working_tables
from open_orders.schema_version import HEAD, VERSION_TABLE, check_revision, check_tables
from open_orders.statements import load_statement

PIPELINE, WEB = "orders_db", "orders_db_web"
LEAST_VERSION = 160_000
CONNECT_TIMEOUT_S = 10
Connection = psycopg.Connection[Any]
Right = tuple[str, str, str, bool]


def check_pipeline() -> Iterator[Finding]:
    """Check the connection with which the sync works."""
    with connect(PIPELINE) as connection:
        yield _describe(PIPELINE, connection)
        if connection.info.server_version < LEAST_VERSION:
            yield failed("PostgreSQL is older than 16", "Use PostgreSQL 16 or newer: the sync needs pg_input_is_valid")
            return
        yield from _check_tables(connection)
        if _is_superuser(connection):
            yield note(
                "The sync's role is a superuser: it can do everything, also what it should not",
                "Name another role in the connection orders_db, and have bin/roles make it",
            )
            return
        yield _check_rights(connection, PIPELINE, list(_pipeline_rights(connection)))


def check_web() -> Iterator[Finding]:
    """Check the connection with which the pages read."""
    try:
        JobLogHook(WEB).connection  # noqa: B018 - it is looked up
    except AirflowNotFoundException:
        yield note(
            f"No Airflow connection {WEB}: the pages use {PIPELINE}, whose role can write",
            f"Add {WEB} for a role of the pages' own (docs/roles.md). In a container look from the api-server",
        )
        return
    with connect(WEB) as connection:
        yield _describe(WEB, connection)
        if _is_superuser(connection):
            yield failed("The pages' role is a superuser", f"Name another role in the connection {WEB}; run bin/roles")
            return
        tables = _existing(connection)
        readable = [table for table in tables if table not in working_tables()]
        yield _check_rights(connection, WEB, list(reader_rights(connection.info.user, tables, readable)))


@contextmanager
def connect(name: str) -> Iterator[Connection]:
    """Yield a session of an Airflow connection."""
    # Else an address where nobody answers holds the check up for minutes.
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_TIMEOUT_S))
    hook = JobLogHook(name)
    hide_secrets(hook.connection)
    with hook.connect("open_orders check") as connection:
        yield connection


def _describe(name: str, connection: Connection) -> Finding:
    info = connection.info
    version = f"{info.server_version // 10000}.{info.server_version % 10000}"
    return good(
        f"Connection {name}: PostgreSQL {version} at {info.host}:{info.port}/{info.dbname}, user {info.user}, "
        f"encoding {info.parameter_status('server_encoding')}"
    )


def _check_tables(connection: Connection) -> Iterator[Finding]:
    try:
        yield good(f"Migrations are current: revision {check_revision(connection)}")
    except (SchemaVersionError, psycopg.errors.InsufficientPrivilege) as error:
        yield failed(f"The tables do not fit this code, which needs revision {HEAD}", first_line(error))
        return
    for contract in find_contracts():
        try:
            check_tables(connection, contract)
        except SchemaVersionError as error:
            yield failed(f"The tables of {contract.table} do not fit their contract", str(error))
        else:
            yield good(f"The tables of {contract.table} are those of its contract")


def _check_rights(connection: Connection, name: str, rights: Sequence[Right]) -> Finding:
    roles, objects, privileges, wanted = (list(column) for column in zip(*rights, strict=True))
    values = {"roles": roles, "objects": objects, "privileges": privileges, "wanted": wanted}
    wrong = connection.execute(load_statement("roles/select_wrong_rights"), values).fetchall()
    if not wrong:
        return good(f"The role of {name} has the rights that it needs")
    words = "; ".join(f"{'lacks' if lacks else 'has'} {privilege} on {thing}" for _, thing, privilege, lacks in wrong)
    return failed(
        f"The role of {name}, {connection.info.user}: {words}", "Run bin/roles as the database's administrator"
    )


def _pipeline_rights(connection: Connection) -> Iterator[Right]:
    role = connection.info.user
    yield role, "database", "CONNECT", True
    yield role, "schema", "USAGE", True
    yield role, "schema", "CREATE", True
    for table in _existing(connection):
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            yield role, table, privilege, True
        if table in working_tables():
            yield role, table, "TRUNCATE", True


def _existing(connection: Connection) -> list[str]:
    """Return our tables that there are; none before the first migration."""
    statement = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY (%s)"
    found = {row[0] for row in connection.execute(statement, [our_tables()])}
    return [table for table in our_tables() if table in found] if VERSION_TABLE in found else []


def _is_superuser(connection: Connection) -> bool:
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])

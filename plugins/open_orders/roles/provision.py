"""Create and update the roles of a database, in one transaction of its administrator.

The statements are in `include/sql/roles`; this module fills in names and decides which are needed. Everything can be
repeated: what is as it should be stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

from open_orders.contracts import find_contracts
from open_orders.models import Base
from open_orders.schema_version import VERSION_TABLE
from open_orders.statements import load_statement

Connection = psycopg.Connection[Any]
SCHEMA = "public"
# An api-server holds at most 12; the limit leaves room for four of them and keeps them from taking all there are.
READER_CONNECTIONS = 50
LOCK_TIMEOUT = "15s"
# What PostgreSQL gives everybody on a new database.
PUBLIC_PRIVILEGES: tuple[LiteralString, ...] = ("CONNECT", "TEMPORARY")


def our_tables() -> list[str]:
    """Return the names of all tables, those of further contracts included."""
    ours = [*Base.metadata.tables, *(contract.table for contract in find_contracts()), *working_tables(), VERSION_TABLE]
    return list(dict.fromkeys(ours))


def working_tables() -> list[str]:
    """Return the names of those that are the pipeline's alone."""
    return [name for contract in find_contracts() for name in contract.working_tables]


def readable_tables() -> list[str]:
    """Return the names of those that pages may read."""
    return [name for name in our_tables() if name not in working_tables()]


class RolesError(Exception):
    """The roles can't be set up as asked; the message says what to do."""


@dataclass(frozen=True)
class Login:
    """A role and its password; without one the role keeps what it has, or logs in by other means."""

    role: str
    password: str = field(default="", repr=False)


def provision_orders(connection: Connection, pipeline: Login, reader: Login, *, shared: bool = False) -> list[str]:
    """Set up the two roles of an orders database, before or after its migrations; returns what was done, in sentences.

    Tables of ours that belong to another role are handed to the pipeline's. Everybody else loses the right to connect
    and to make temporary tables, except roles that own something here or were given a right on a table; with `shared`
    nobody loses anything. Raises RolesError when a role can't be used, or would end with other rights than it should
    have: the caller's transaction must then be rolled back.
    """
    if pipeline.role == reader.role:
        raise RolesError(
            f"Pipeline and pages log in with the same role, {reader.role}: give the pages one of their own"
        )
    setup = _Setup(connection)
    ours = [name for name in our_tables() if setup.has_table(name)] if setup.has_table(VERSION_TABLE) else []
    readable = [name for name in readable_tables() if name in ours]
    setup.make_login(pipeline)
    setup.make_login(reader, READER_CONNECTIONS)
    setup.execute("limit_reader", role=reader.role)
    setup.take_database(pipeline.role, reader.role)
    setup.execute("grant_owner", role=pipeline.role)
    with setup.acting_for(pipeline.role):
        setup.hand_over(pipeline.role, names=ours)
        setup.execute("grant_reader", role=reader.role, owner=pipeline.role)
        if ours:
            setup.execute("grant_select", role=reader.role, tables=_tables(ours), readable=_tables(readable))
    if not shared:
        setup.close_database(pipeline.role, reader.role)
    setup.check(_orders_rights(pipeline.role, reader.role, ours, readable, shared=shared))
    setup.say(f"{pipeline.role} owns the {len(ours)} tables of the pipeline and those of later migrations")
    setup.say(f"{reader.role} may read {', '.join(readable) or 'them then'}")
    return setup.done


def provision_metadata(connection: Connection, login: Login) -> list[str]:
    """Make the database Airflow's alone: its role owns it, with all that the administrator has in it."""
    setup = _Setup(connection)
    if setup.has_table(VERSION_TABLE):
        raise RolesError(
            f"The database {setup.database} holds the orders tables, too: create one for Airflow alone, so that each "
            "role can be kept out of the other's"
        )
    setup.make_login(login)
    setup.execute("limit_metadata", role=login.role)
    with setup.acting_for(login.role):
        setup.execute("change_database_owner", owner=login.role)
        setup.hand_over(login.role, belonging_to=connection.info.user)
    setup.close_database(login.role)
    setup.say(f"{login.role} owns Airflow's database {setup.database}")
    return setup.done


def withhold_working_tables(connection: Connection) -> None:
    """Take the working tables from whom default privileges gave them: after a migration created them."""
    values = {"tables": working_tables()}
    for table, role in connection.execute(load_statement("roles/select_default_readers"), values).fetchall():
        statement = load_statement("roles/revoke_select")
        connection.execute(statement.format(relation=sql.Identifier(table), role=sql.Identifier(role)))


class _Setup:
    """One run on one database; the caller owns connection and transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.database = connection.info.dbname
        self.done: list[str] = []
        # ALTER TABLE waits for a sync, and everybody else for it.
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])

    def execute(self, name: str, **parts: str | sql.Composable) -> None:
        """Run a statement with these identifiers in it; `database` is known."""
        composed = {
            part: value if isinstance(value, sql.Composable) else sql.Identifier(value)
            for part, value in {"database": self.database, **parts}.items()
        }
        self.connection.execute(load_statement(f"roles/{name}").format(**composed))

    def select(self, name: str, **values: Any) -> list[Any]:
        return self.connection.execute(load_statement(f"roles/{name}"), values).fetchall()

    def select_value(self, name: str, **values: Any) -> Any:
        """Return the one column of the first row, or None."""
        with self.connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(load_statement(f"roles/{name}"), values).fetchone()

    def say(self, sentence: str) -> None:
        self.done.append(sentence)

    def has_table(self, name: str) -> bool:
        row = self.connection.execute("SELECT to_regclass(format('%%I.%%I', %s::text, %s::text))", [SCHEMA, name])
        return row.fetchone() != (None,)

    def make_login(self, login: Login, most_connections: int = -1) -> None:
        """Create the role, or accept one that has no powers; either gets the password."""
        powers = self.select_value("select_role", role=login.role)
        if powers is None:
            self.execute("create_role", role=login.role, most=sql.Literal(most_connections))
            self.say(f"Role {login.role} created")
        elif powers:
            raise RolesError(
                f"The role {login.role} has {', '.join(powers)}, which it does not need: name another one in the "
                "connection (it will be created), or take that away"
            )
        if login.password:
            pg = self.connection.pgconn
            verifier = pg.encrypt_password(login.password.encode(), login.role.encode(), b"scram-sha-256").decode()
            self.execute("set_password", role=login.role, verifier=sql.Literal(verifier))

    def take_database(self, *roles: str) -> None:
        owner = self.select_value("select_database_owner")
        if owner in roles:
            self.execute("change_database_owner", owner=self.connection.info.user)
            self.say(f"The database {self.database} belongs to {self.connection.info.user} now, before to {owner}")

    @contextmanager
    def acting_for(self, role: str) -> Iterator[None]:
        """Be a member of the role in the block: an administrator who is no superuser needs that."""
        is_member = self.select_value("select_membership", role=role)
        if not is_member:
            self.execute("grant_membership", role=role)
        yield
        if not is_member:
            self.execute("revoke_membership", role=role)

    def hand_over(self, owner: str, names: list[str] | None = None, belonging_to: str | None = None) -> None:
        moved = self.select("select_relations", owner=owner, names=names, belonging_to=belonging_to)
        for name, _ in moved:
            self.execute("change_owner", relation=sql.Identifier(SCHEMA, name), owner=owner)
        if moved:
            before = ", ".join(sorted({previous for _, previous in moved}))
            self.say(f"{owner} took over {len(moved)} tables from {before}")

    def close_database(self, *ours: str) -> None:
        """Take what everybody has on the database, and give it to those others who have to do with what is in it."""
        before = self._guests(ours)
        self.execute("close_database")
        lost = sorted(before - self._guests(ours))
        for role, privilege in lost:
            self.execute("admit_guest", role=role, privilege=sql.SQL(privilege))
        kept = f"; as before: {', '.join(sorted({role for role, _ in lost}))}" if lost else ""
        self.say(f"Nobody else may connect to the database {self.database} but who was given that right{kept}")

    def _guests(self, ours: Iterable[str]) -> set[tuple[str, LiteralString]]:
        return {
            (role, privilege)
            for privilege in PUBLIC_PRIVILEGES
            for (role,) in self.select("select_guests", ours=list(ours), privilege=privilege)
        }

    def check(self, rights: Iterable[tuple[str, str, str, bool]]) -> None:
        """Raise RolesError unless each role has, or has not, what (role, object, privilege, wanted) says."""
        roles, objects, privileges, wanted = (list(column) for column in zip(*rights, strict=True))
        wrong = self.select("select_wrong_rights", roles=roles, objects=objects, privileges=privileges, wanted=wanted)
        if wrong:
            words = "; ".join(
                f"{role} {'lacks' if lacks else 'has'} {privilege} on {name}" for role, name, privilege, lacks in wrong
            )
            raise RolesError(
                f"Nothing was changed, for it would not have led to the rights that are meant: {words}. Another "
                "grant is in the way (to PUBLIC, or to a role that it is a member of), or the administrator "
                f"{self.connection.info.user} owns neither the database nor its schema {SCHEMA}"
            )


def _orders_rights(
    pipeline: str, reader: str, tables: list[str], readable: list[str], *, shared: bool
) -> Iterator[tuple[str, str, str, bool]]:
    """Yield (role, object, privilege, wanted)."""
    yield pipeline, "database", "CONNECT", True
    yield pipeline, "database", "CREATE", False
    yield pipeline, "schema", "USAGE", True
    yield pipeline, "schema", "CREATE", True
    if not shared:
        yield from ((role, "database", "TEMPORARY", False) for role in (pipeline, reader))
    yield from reader_rights(reader, tables, readable)


def reader_rights(reader: str, tables: list[str], readable: list[str]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield (role, object, privilege, wanted) of the pages' role, of which `tables` there are."""
    yield reader, "database", "CONNECT", True
    yield reader, "database", "CREATE", False
    yield reader, "schema", "USAGE", True
    yield reader, "schema", "CREATE", False
    for table in tables:
        yield reader, table, "SELECT", table in readable
        for privilege in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
            yield reader, table, privilege, False


def _tables(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(SCHEMA, name) for name in names)

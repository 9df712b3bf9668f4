"""A database with the pipeline's and the pages' role, and who is who in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import create_engine

from open_orders.migrations.__main__ import downgrade, migrate
from open_orders.roles.provision import Login, provision_orders

Connection = psycopg.Connection[Any]
_numbers = count(1)


def make_login(kind: str) -> Login:
    """Return a login that nobody has yet; its name has to be quoted and its password escaped."""
    number = next(_numbers)
    return Login(f'{kind} "{number}"', f"pass'word/{kind}:{number}@")


@dataclass
class Site:
    """An orders database, its administrator's address, and the logins of its two roles."""

    admin_dsn: str
    pipeline: Login
    web: Login

    @property
    def database(self) -> str:
        return str(conninfo_to_dict(self.admin_dsn)["dbname"])

    def provision(self, **options: Any) -> list[str]:
        with self.connect() as connection:
            return provision_orders(connection, self.pipeline, self.web, **options)

    def connect(self, login: Login | None = None, **options: Any) -> Connection:
        """Log in, as the administrator unless told otherwise."""
        return psycopg.connect(self.address(login), **options)

    def address(self, login: Login | None = None) -> str:
        return make_conninfo(self.admin_dsn, **({"user": login.role, "password": login.password} if login else {}))

    def uri(self, login: Login) -> str:
        """Return the value of an AIRFLOW_CONN_… variable."""
        where = conninfo_to_dict(self.admin_dsn)
        who = f"{quote(login.role, safe='')}:{quote(login.password, safe='')}"
        return f"postgres://{who}@{where['host']}:{where['port']}/{where['dbname']}"

    def migrate(self, login: Login | None = None, *, to: str = "head") -> None:
        self._run_alembic(migrate, login, to)

    def downgrade(self, login: Login, to: str) -> None:
        self._run_alembic(downgrade, login, to)

    def _run_alembic(self, command: Any, login: Login | None, to: str) -> None:
        engine = create_engine("postgresql+psycopg://", creator=lambda: self.connect(login))
        with engine.connect() as connection:
            command(connection, to)
        engine.dispose()

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def execute_for(self, login: Login, statement: str) -> None:
        """Run a statement as the administrator, with the role's name in it for {}."""
        self.execute(statement.format(sql.Identifier(login.role).as_string()))

    def create_role(self, login: Login, options: str = "LOGIN") -> None:
        """Create a role of somebody else's."""
        self.execute_for(login, f"CREATE ROLE {{}} {options} PASSWORD {sql.Literal(login.password).as_string()}")

    def take_from_public(self) -> None:
        """Leave everybody without the rights that PostgreSQL gives everybody."""
        self.execute(
            f"REVOKE ALL ON DATABASE {self.database} FROM PUBLIC",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        )


def make_site(admin_dsn: str) -> Site:
    """Return a database whose roles nobody has made yet."""
    return Site(admin_dsn, make_login("pipeline"), make_login("web"))

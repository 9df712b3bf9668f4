"""Create or update the roles of the orders database: the pipeline's owns our tables, the pages' role reads them.

Names and passwords are those of the Airflow connections `orders_db` and `orders_db_web`, from AIRFLOW_CONN_… variables
or from Airflow's own store.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from open_orders.connection_store import read_airflows_own_store
from open_orders.roles.provision import Login, RolesError, provision_metadata, provision_orders

if TYPE_CHECKING:
    from airflow.sdk import Connection

PIPELINE, WEB = "orders_db", "orders_db_web"
EPILOG = """\
It runs as the database's administrator, whom libpq's variables name: PGUSER, PGPASSWORD (or the file ~/.pgpass), and
PGHOST and PGPORT where they are not those of the connection orders_db. A superuser, or a role with CREATEROLE that owns
the database. Nothing that Airflow runs needs to know that password. Safe to repeat, before and after bin/migrate."""


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/roles",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "database",
        nargs="?",
        choices=("orders", "airflow"),
        default="orders",
        help="airflow: instead make the login of Airflow's own database the owner of that, and let nobody else in",
    )
    parser.add_argument(
        "--shared",
        action="store_true",
        help="others use the orders database, too: everybody may connect to it and make temporary tables as before; "
        "without this only who owns something in it or has a right on one of its tables",
    )
    options = parser.parse_args(arguments)
    if options.shared and options.database == "airflow":
        parser.error("--shared is for the orders database")
    return options


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)

    # Airflow takes a second to import; --help and a mistyped argument answer before it.
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        done = _set_up_airflow() if options.database == "airflow" else _set_up_orders(shared=options.shared)
    except AirflowNotFoundException as error:
        print(f"{error}: set it as AIRFLOW_CONN_{PIPELINE.upper()} or …_WEB, or add it in Airflow", file=sys.stderr)
        return 1
    except (RolesError, psycopg.Error) as error:
        print(f"Nothing was changed. {_explain(error)}", file=sys.stderr)
        return 1
    print("\n".join(done))
    return 0


def _set_up_orders(*, shared: bool) -> list[str]:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    pipeline, web = (PostgresHook(name).connection for name in (PIPELINE, WEB))
    logins = _login(PIPELINE, pipeline), _login(WEB, web)
    with _connect_administrator(pipeline.host, pipeline.port, pipeline.schema, _tls(pipeline)) as connection:
        return provision_orders(connection, *logins, shared=shared)


def _set_up_airflow() -> list[str]:
    from airflow.configuration import conf
    from sqlalchemy import make_url

    url = make_url(conf.get_mandatory_value("database", "sql_alchemy_conn"))
    if url.get_backend_name() != "postgresql" or not url.username:
        raise RolesError("[database] sql_alchemy_conn is expected to be a PostgreSQL address with a user in it")
    with _connect_administrator(url.host, url.port, url.database, {}) as connection:
        return provision_metadata(connection, Login(url.username, url.password or ""))


def _connect_administrator(
    host: str | None, port: int | None, database: str | None, tls: dict[str, Any]
) -> psycopg.Connection[Any]:
    """Return a connection whose user, password and the rest come from libpq's variables, which take precedence."""
    where = {"PGHOST": ("host", host), "PGPORT": ("port", port)}
    address: dict[str, Any] = dict(pair for variable, pair in where.items() if not os.environ.get(variable))
    return psycopg.connect(make_conninfo(dbname=database, application_name="open_orders roles", **address, **tls))


def _tls(connection: Connection) -> dict[str, Any]:
    return {name: value for name, value in connection.extra_dejson.items() if name in ("sslmode", "sslrootcert")}


def _login(name: str, connection: Connection) -> Login:
    if not connection.login:
        raise RolesError(f"The connection {name} names no user")
    return Login(connection.login, connection.password or "")


def _explain(error: Exception) -> str:
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return "A session holds one of the tables: pause the DAG sync_open_orders, let its run end, and try again"
    if isinstance(error, psycopg.Error):
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return str(error)


if __name__ == "__main__":
    read_airflows_own_store()
    sys.exit(main(sys.argv[1:]))

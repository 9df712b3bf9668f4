"""Bring the orders database to the revision that this code needs, and make the tables of further contracts.

The database is the one of the Airflow connection `orders_db`, from AIRFLOW_CONN_ORDERS_DB or from Airflow's own store.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, NotSupportedError, OperationalError, ProgrammingError

from open_orders.connection_store import read_airflows_own_store
from open_orders.contract import Contract, ContractDefinitionError
from open_orders.contracts import find_contracts
from open_orders.errors import SchemaVersionError
from open_orders.migrations.contract_tables import bring_up_to_date, drop
from open_orders.roles.provision import withhold_working_tables
from open_orders.schema_version import HEAD, VERSION_TABLE, check_tables


def build_config(connection: Connection, contracts: Iterable[Contract] = ()) -> Config:
    """Return the Alembic configuration that migrates over this connection, and then makes the contracts' tables."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["contracts"] = contracts
    return config


def migrate(connection: Connection, revision: str = "head") -> None:
    """Upgrade to `revision`; to the newest with the tables of all contracts. One transaction, committed."""
    contracts = find_contracts() if revision == "head" else ()
    command.upgrade(build_config(connection, contracts), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Downgrade to `revision` (`base` removes every table, with its data)."""
    if revision == "base":
        drop(connection, find_contracts()[1:])
    command.downgrade(build_config(connection), revision)


def rebuild(connection: Connection, contract: Contract) -> None:
    """Make a contract's tables anew, empty; committed, in one transaction."""
    drop(connection, [contract])
    bring_up_to_date(connection, [contract])
    withhold_working_tables(cast("psycopg.Connection[Any]", connection.connection.driver_connection))
    connection.commit()


def describe_downgrade(found: str | None, revision: str) -> list[str]:
    """Return what each step from revision `found` down to `revision` does and loses, in the scripts' own words.

    Raises Alembic's CommandError for a revision that there is not.
    """
    scripts = ScriptDirectory(str(Path(__file__).parent))
    known = list(reversed(list(scripts.walk_revisions())))
    places = {script.revision: number for number, script in enumerate(known, start=1)} | {"base": 0}
    for name in (revision, found or "base"):
        if name not in places:
            raise CommandError(f"Can't locate revision identified by '{name}'")
    steps = reversed(known[places[revision] : places[found or "base"]])
    return [f"{script.revision}: {' '.join(script.module.downgrade.__doc__.split())}" for script in steps]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/migrate", description=__doc__.splitlines()[0] if __doc__ else None)
    steps = parser.add_subparsers(dest="step")
    steps.add_parser("upgrade", help=f"to revision {HEAD} (what happens without an argument)")
    down = steps.add_parser("downgrade", help="to an older revision, when --yes is given; says what is lost by it")
    down.add_argument("revision", help="for example 0003; base removes every table")
    down.add_argument("--yes", action="store_true", help="do it; without this it only says what would be lost")
    again = steps.add_parser("rebuild", help="make the tables of a changed contract anew, empty until the next sync")
    again.add_argument("table", choices=[contract.table for contract in find_contracts()])
    steps.add_parser("current", help="print the database's revision and change nothing")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    try:
        options = _parse(arguments)
    except ContractDefinitionError as error:
        print(error, file=sys.stderr)
        return 1

    # Airflow takes a second to import; --help and a mistyped argument answer before it.
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from open_orders.masking import hide_secrets

    hook = PostgresHook("orders_db")
    try:
        hide_secrets(hook.connection)
        target = f"{hook.connection.host}:{hook.connection.port or 5432}/{hook.connection.schema}"
    except AirflowNotFoundException:
        print("No Airflow connection orders_db: set AIRFLOW_CONN_ORDERS_DB, or add it in Airflow", file=sys.stderr)
        return 1
    engine = create_engine(hook.sqlalchemy_url)
    try:
        with engine.connect() as connection:
            if options.step == "downgrade":
                _downgrade(connection, options.revision, confirmed=options.yes)
            elif options.step == "rebuild":
                rebuild(connection, next(one for one in find_contracts() if one.table == options.table))
            elif options.step != "current":
                migrate(connection)
            revision = _read_revision(connection)
            problems = list(_find_problems(connection)) if revision == HEAD else []
    except CommandError as error:
        print(f"Cannot migrate the orders database {target}, nothing was changed: {error}", file=sys.stderr)
        return 1
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        print(
            f"The user of connection orders_db may not migrate the orders database {target}, nothing was changed: "
            f"{_first_line(error)}. Its administrator gives the rights: bin/roles",
            file=sys.stderr,
        )
        return 1
    except NotSupportedError as error:
        # A view of somebody's own shows a column that a revision changes.
        print(
            f"Cannot migrate the orders database {target}, nothing was changed: {_first_line(error)}"
            f"{_details(error)}. Drop it, run bin/migrate, and make it again",
            file=sys.stderr,
        )
        return 1
    except OperationalError as error:
        print(f"Cannot open the orders database {target} (connection orders_db): {_first_line(error)}", file=sys.stderr)
        return 1
    finally:
        engine.dispose()
    print(f"Orders database {target} is at revision {revision or 'none'}, the code needs {HEAD}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _find_problems(connection: Connection) -> Iterator[str]:
    """Yield what is wrong with the contracts' tables."""
    for contract in find_contracts():
        try:
            check_tables(cast("psycopg.Connection[Any]", connection.connection.driver_connection), contract)
        except SchemaVersionError as error:
            yield str(error)


def _downgrade(connection: Connection, revision: str, *, confirmed: bool) -> None:
    steps = describe_downgrade(_read_revision(connection), revision)
    for step in steps:
        print(step)
    if confirmed:
        downgrade(connection, revision)
    elif steps:
        print("Nothing was changed. Make a backup (docs/upgrade.md), and repeat this with --yes")


def _read_revision(connection: Connection) -> str | None:
    found = connection.exec_driver_sql(f"SELECT to_regclass('{VERSION_TABLE}')").scalar()
    if found is None:
        return None
    return connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608 - a constant


def _details(error: DBAPIError) -> str:
    """Return what PostgreSQL says beside an error's first line, in brackets; empty for nothing."""
    details = isinstance(error.orig, psycopg.Error) and error.orig.diag.message_detail
    return f" ({' '.join(details.split())})" if details else ""


def _first_line(error: DBAPIError) -> str:
    from open_orders.masking import redact

    return redact(str(error.orig).strip().splitlines()[0])


if __name__ == "__main__":
    read_airflows_own_store()
    sys.exit(main(sys.argv[1:]))

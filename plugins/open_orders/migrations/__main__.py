"""Bring the orders database to the revision that this code needs.

The database is the one of the Airflow connection `orders_db`, from AIRFLOW_CONN_ORDERS_DB or from Airflow's own store.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from open_orders.schema_version import HEAD, VERSION_TABLE


def build_config(connection: Connection) -> Config:
    """Return the Alembic configuration that migrates over this open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(connection: Connection, revision: str = "head") -> None:
    """Upgrade to `revision`; committed by Alembic, one transaction for all steps."""
    command.upgrade(build_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Downgrade to `revision` (`base` removes every table, with its data)."""
    command.downgrade(build_config(connection), revision)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/migrate", description=__doc__.splitlines()[0] if __doc__ else None)
    steps = parser.add_subparsers(dest="step")
    steps.add_parser("upgrade", help=f"to revision {HEAD} (what happens without an argument)")
    down = steps.add_parser("downgrade", help="to an older revision; the data of what it removes is lost")
    down.add_argument("revision")
    steps.add_parser("current", help="print the database's revision and change nothing")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)

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
                downgrade(connection, options.revision)
            elif options.step != "current":
                migrate(connection)
            found = connection.exec_driver_sql(f"SELECT to_regclass('{VERSION_TABLE}')").scalar()
            revision = found and connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608 - a constant
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
    except OperationalError as error:
        print(f"Cannot open the orders database {target} (connection orders_db): {_first_line(error)}", file=sys.stderr)
        return 1
    finally:
        engine.dispose()
    print(f"Orders database {target} is at revision {revision or 'none'}, the code needs {HEAD}")
    return 0


def _first_line(error: DBAPIError) -> str:
    from open_orders.masking import redact

    return redact(str(error.orig).strip().splitlines()[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

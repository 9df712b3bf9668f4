"""Create the sample ERP in a real SQL Server, with the login that may read it: python -m sandbox.erp.create.

The profile sqlserver of docker-compose.yaml runs it once; safe to repeat.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import pymssql

from sandbox.connections import Connection, ConnectionFormatError, parse_connection
from sandbox.erp.life import DEFAULT_OPEN_LINES, count_open_lines, seed
from sandbox.erp.schema import read_batches
from sandbox.erp.session import connect, read_local_time, read_message

READER = "AIRFLOW_CONN_ERP_MSSQL"
ADMINISTRATOR = "SAMPLE_ERP_ADMINISTRATOR"


class SampleErpError(Exception):
    """The sample ERP can't be created with these connections; the message says why."""


def create(administrator: Connection, reader: Connection) -> str:
    """Create what is missing of database, login, tables and orders; return what there is, in words.

    Args:
        administrator: sa, or another login that may create databases and logins.
        reader: the sync's connection, which says how database, login and password shall be.
    """
    with closing(connect(replace(administrator, database="master"))) as connection:
        connection.autocommit(True)
        _execute(connection, "database.sql", {"database": reader.database})
    with closing(connect(replace(administrator, database=reader.database))) as connection:
        _execute(connection, "reader.sql", {"login": reader.login, "password": reader.password})
        connection.commit()
        found = count_open_lines(connection)
        if found is None:
            seed(connection, now=read_local_time(connection))
    lines = DEFAULT_OPEN_LINES if found is None else found
    return f"Sample ERP {reader}: {lines} open order lines, {'created' if found is None else 'there already'}"


def read_connections(environment: Mapping[str, str]) -> tuple[Connection, Connection]:
    """Return administrator and reader; raises SampleErpError when the reader's is not this server or not a reader."""
    missing = [name for name in (ADMINISTRATOR, READER) if not environment.get(name)]
    if missing:
        raise SampleErpError(f"{' and '.join(missing)} is not set")
    administrator = parse_connection(ADMINISTRATOR, environment[ADMINISTRATOR], default_port=1433)
    reader = parse_connection(READER, environment[READER], default_port=1433)
    if (reader.host, reader.port) != (administrator.host, administrator.port):
        raise SampleErpError(
            f"{READER} points at {reader.host}:{reader.port}, the sample ERP is in "
            f"{administrator.host}:{administrator.port}: name that, or leave out the profile sqlserver"
        )
    if reader.login == administrator.login or not reader.password or reader.database in ("", "master"):
        raise SampleErpError(
            f"{READER} is expected to name a login of its own with a password, and the database to create: "
            f"mssql://erp_reader:password@{reader.host}:{reader.port}/ERP"
        )
    return administrator, reader


def _execute(connection: pymssql.Connection, file: str, parameters: Mapping[str, str]) -> None:
    with connection.cursor() as cursor:
        for batch in read_batches(file):
            cursor.execute(batch, parameters)


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        print(create(*read_connections(os.environ)), flush=True)
    except (SampleErpError, ConnectionFormatError) as error:
        print(error, file=sys.stderr)
        return 1
    except pymssql.Error as error:
        print(f"The sample ERP could not be created: {read_message(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The servers of the compose file that are not Airflow: PostgreSQL as its image makes it, and a SQL Server's stand-in.

`python -m tests.e2e.compose_servers FOLDER` runs until SIGTERM, on the ports that the compose file's addresses name.
"""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from pathlib import Path

import psycopg

from sandbox.connections import Connection
from sandbox.erp.life import seed
from sandbox.erp.session import connect, read_local_time
from sandbox.postgres import EmbeddedPostgres
from sandbox.tds.postgres_engine import PostgresEngine
from sandbox.tds.server import StandInServer
from tests.compose_file import PROFILE_VALUES, VALUES

READY = "servers are ready"
ANY_ADDRESS = "0.0.0.0"
OPEN_LINES = 300


def main(folder: Path) -> None:
    # The test looks at the databases through the socket, from outside of this network.
    settings = {"fsync": "off", "listen_addresses": "*", "unix_socket_directories": str(folder / "data")}
    with EmbeddedPostgres(folder / "data", port=5432, settings=settings) as postgres:
        for database in ("airflow", "stand_in"):
            postgres.create_database(database)
        with psycopg.connect(postgres.dsn(), autocommit=True) as server:
            server.execute(f"CREATE ROLE airflow SUPERUSER LOGIN PASSWORD '{VALUES['POSTGRES_PASSWORD']}'")
        users = {"sa": PROFILE_VALUES["MSSQL_SA_PASSWORD"], "erp_reader": "Reader-9"}
        engine = PostgresEngine(postgres.dsn("stand_in"))
        with StandInServer(engine, users=users, database="ERP", host=ANY_ADDRESS, port=1433):
            with closing(connect(Connection("mssql", "127.0.0.1", 1433, "sa", users["sa"], "ERP"))) as erp:
                seed(erp, OPEN_LINES, now=read_local_time(erp))
            print(READY, flush=True)
            signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(Path(sys.argv[1]))

"""The roles with which the sandbox uses its embedded PostgreSQL: none of them is its superuser."""

from collections.abc import Mapping

from sandbox.connections import Connection
from sandbox.ports import HOST
from sandbox.postgres import SUPERUSER, EmbeddedPostgres
from sandbox.state import REPOSITORY, State

PIPELINE = "open_orders_pipeline"
WEB = "open_orders_web"
AIRFLOW = "airflow_metadata"
# What bin/roles consists of: when it changes, the roles have to be set up again.
SOURCES = ("include/sql/roles/*.sql", "plugins/open_orders/roles/*.py")


def connect_as(role: str, state: State, postgres: EmbeddedPostgres, database: str) -> Connection:
    """Return the connection of a role; its password is the state's."""
    return Connection("postgres", HOST, postgres.port, role, state.read_secret(f"{role}_password"), database)


def connect_as_superuser(postgres: EmbeddedPostgres, database: str) -> Connection:
    """Return the superuser's connection."""
    return Connection("postgres", HOST, postgres.port, SUPERUSER, postgres.read_password(), database)


def build_administrator_environment(postgres: EmbeddedPostgres) -> Mapping[str, str]:
    """Return libpq's variables with which bin/roles logs in."""
    return {
        "PGHOST": HOST,
        "PGPORT": str(postgres.port),
        "PGUSER": SUPERUSER,
        "PGPASSWORD": postgres.read_password(),
    }


def read_sources() -> bytes:
    """Return the files that say which rights the roles get."""
    files = sorted(file for pattern in SOURCES for file in REPOSITORY.glob(pattern))
    return b"".join(file.read_bytes() for file in files)

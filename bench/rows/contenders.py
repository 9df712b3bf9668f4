"""What a contender is: somebody who moves the rows, or does a part of it and so is a limit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from bench.rows.lines import CHECKED, Lines
from bench.rows.measured_process import ContenderError, Finished, run_measured
from bench.rows.stand_in import Source
from sandbox.postgres import EmbeddedPostgres

ORDERS, PEERS = "orders", "peers"


@dataclass(frozen=True)
class Place:
    """Where it all happens."""

    postgres: EmbeddedPostgres
    source: Source
    directory: Path

    @property
    def orders(self) -> str:
        """The address of the pipeline's database."""
        return self.postgres.dsn(ORDERS)

    @property
    def peers(self) -> str:
        """The address of the peers' database, in the same PostgreSQL."""
        return self.postgres.dsn(PEERS)

    def settle(self) -> None:
        """Have PostgreSQL write down what earlier contenders left to write, so that the next one doesn't."""
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def run(self, *command: str, **environment: str) -> Finished:
        """Run a contender's process; raises ContenderError."""
        return run_measured(command, environment, self.directory / "contender.log")

    def run_module(self, module: str, *arguments: str, **environment: str) -> Finished:
        """Run a module of the bench on this Python, with the Airflow connections of the pipeline."""
        connections = {
            "AIRFLOW_HOME": str(self.directory / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_ORDERS_DB": self.orders.replace("postgresql://", "postgres://"),
        }
        return self.run(sys.executable, "-m", module, *arguments, **(connections | environment))

    def verify(self, dsn: str, table: str, lines: Lines) -> None:
        """Raise ContenderError unless the table holds as many rows as the source, with the same sum of a column."""
        query = sql.SQL("SELECT count(*), sum({}::numeric) FROM {}").format(
            sql.Identifier(CHECKED), sql.Identifier(table)
        )
        with psycopg.connect(dsn) as connection:
            found = connection.execute(query).fetchone()
        if found != (lines.rows, lines.checksum):
            raise ContenderError(f"expected {lines.rows} rows with the sum {lines.checksum}, found {found}")


@dataclass(frozen=True)
class Measured:
    """One go: seconds, megabytes at most, and what else is known: seconds of each part, megabytes over a baseline."""

    seconds: float
    peak_mb: float
    parts: Mapping[str, float] = field(default_factory=dict)
    growth_mb: float | None = None


@dataclass(frozen=True)
class Contender:
    """A contender; `move` moves the lines once and checks that they arrived, and raises ContenderError.

    `kind` is ours, peer or limit.
    """

    name: str
    kind: str
    move: Callable[[Place, Lines], Measured]
    note: str = ""

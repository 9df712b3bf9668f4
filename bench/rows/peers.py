"""The peers: what a user would take instead, each doing a bare full refresh into a table of the same PostgreSQL."""

from __future__ import annotations

import json
from functools import partial

import psycopg
from psycopg import sql

from bench.rows.contenders import Contender, Measured, Place
from bench.rows.environments import Environment, make_environment
from bench.rows.lines import COLUMN_TYPES, Lines
from bench.rows.measured_process import ContenderError
from open_orders.contract import OPEN_ORDERS
from sandbox.state import REPOSITORY

SLING, INGESTR, DLT, GENERIC_TRANSFER = "sling", "ingestr", "dlt, default", "Airflow's GenericTransfer"
DLT_BACKENDS = {DLT: "sqlalchemy", "dlt, pyarrow": "pyarrow", "dlt, connectorx": "connectorx"}
_SCRIPTS = REPOSITORY / "bench" / "rows" / "scripts"
_QUIET = {
    "PYTHONPATH": "",
    "SLING_DISABLE_TELEMETRY": "true",
    "INGESTR_DISABLE_TELEMETRY": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}


def list_peers() -> list[Contender]:
    """Return the peers that need an environment of their own, which is made when they first move something."""
    return [
        Contender(SLING, "peer", _move_with_sling, "the whole process"),
        Contender(INGESTR, "peer", _move_with_ingestr, "the whole process"),
        *(Contender(name, "peer", partial(_move_with_dlt, backend)) for name, backend in DLT_BACKENDS.items()),
        Contender("pandas", "peer", _move_with_pandas),
    ]


def list_generic_transfer() -> list[Contender]:
    """Return the peer that Airflow brings itself."""
    return [Contender(GENERIC_TRANSFER, "peer", _move_with_generic_transfer)]


def make_table(dsn: str, table: str) -> None:
    """Make a table with the contract's columns, if there is none."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} " + column.type.pg_type).format(sql.Identifier(column.name))  # constants of the contract
        for column in OPEN_ORDERS.columns
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(sql.Identifier(table), columns))


def _move_with_sling(place: Place, lines: Lines) -> Measured:
    environment = make_environment("sling")
    [program] = environment.directory.glob("lib/python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64")
    finished = place.run(
        str(program), "run", "--src-conn", "SOURCE", "--src-stream", f"dbo.{lines.table}",
        "--tgt-conn", "TARGET", "--tgt-object", "public.by_sling", "--mode", "full-refresh",
        SOURCE=place.source.address("sqlserver", "", database="ERP", encrypt="true", trustservercertificate="true"),
        TARGET=f"{place.peers}?sslmode=disable", **_QUIET, HOME=str(place.directory),
    )  # fmt: skip
    place.verify(place.peers, "by_sling", lines)
    return Measured(finished.wall_s, finished.peak_mb)


def _move_with_ingestr(place: Place, lines: Lines) -> Measured:
    environment = make_environment("ingestr")
    finished = place.run(
        str(environment.directory / "bin" / "ingestr"), "ingest", "--yes", "--progress", "log",
        "--source-uri", place.source.address("mssql", encrypt="true", trustservercertificate="true"),
        "--source-table", f"dbo.{lines.table}",
        "--dest-uri", f"{place.peers}?sslmode=disable", "--dest-table", "public.by_ingestr",
        **_QUIET, HOME=str(place.directory),
    )  # fmt: skip
    place.verify(place.peers, "by_ingestr", lines)
    return Measured(finished.wall_s, finished.peak_mb)


def _move_with_dlt(backend: str, place: Place, lines: Lines) -> Measured:
    columns = json.dumps({name: kind for name, (kind, _) in COLUMN_TYPES.items()})
    table = f"by_dlt_{backend}"
    return _move_with_script(
        make_environment("dlt"), "dlt_load.py", place, lines, table,
        backend, place.source.address("mssql+pymssql"), lines.table, columns, place.peers, table,
        str(place.directory / "dlt"),
    )  # fmt: skip


def _move_with_pandas(place: Place, lines: Lines) -> Measured:
    target = place.peers.replace("postgresql://", "postgresql+psycopg2://")
    arguments = (place.source.address("mssql+pymssql"), lines.query, target, "by_pandas")
    return _move_with_script(make_environment("pandas"), "pandas_load.py", place, lines, "by_pandas", *arguments)


def _move_with_script(
    environment: Environment, script: str, place: Place, lines: Lines, table: str, *arguments: str
) -> Measured:
    finished = place.run(environment.python, str(_SCRIPTS / script), *arguments, **_QUIET, HOME=str(place.directory))
    place.verify(place.peers, table, lines)
    return Measured(_read_seconds(finished.last_line), finished.peak_mb)


def _move_with_generic_transfer(place: Place, lines: Lines) -> Measured:
    table = "by_generic_transfer"
    make_table(place.peers, table)
    finished = place.run_module(
        "bench.rows.generic_transfer", lines.query, table,
        AIRFLOW_CONN_ERP_MSSQL=place.source.address("mssql"),
        AIRFLOW_CONN_ORDERS_DB=place.peers.replace("postgresql://", "postgres://"),
    )  # fmt: skip
    place.verify(place.peers, table, lines)
    return Measured(_read_seconds(finished.last_line), finished.peak_mb)


def _read_seconds(line: str) -> float:
    try:
        return float(line)
    except ValueError as error:
        raise ContenderError(f"expected seconds as the last line, found {line!r}") from error

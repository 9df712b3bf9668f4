"""The limits: parts of the work that nobody does faster, for the pipeline's stages to be compared with."""

from __future__ import annotations

import time
from functools import partial

import psycopg
from psycopg import sql

from bench.rows.contenders import Contender, Measured, Place
from bench.rows.lines import Lines
from bench.rows.measured_process import ContenderError
from bench.rows.ours import DRIVERS
from bench.rows.peers import make_table
from bench.rows.stand_in import DATABASE, PASSWORD, USER
from open_orders.contract import OPEN_ORDERS
from sandbox.debian import find_program
from sandbox.ports import HOST

_CHUNK = 1024 * 1024
_COPIED = "by_copy"


def list_limits() -> list[Contender]:
    """Return the limits that need nothing but the pipeline's own requirements."""
    return [
        Contender("the stand-in alone", "limit", partial(_read_wire, "off"), "read by a bare socket"),
        Contender("the stand-in alone, encrypted", "limit", partial(_read_wire, "on"), "read by a bare socket"),
        *(Contender(name_bare_fetch(driver), "limit", partial(_fetch, driver), "fetch only") for driver in DRIVERS),
        Contender("COPY from a file", "limit", _copy, "into a table without keys"),
    ]


def list_freebcp() -> list[Contender]:
    """Return FreeTDS's bulk copy, which a package of Debian's brings."""
    return [Contender("freebcp … out", "limit", _run_freebcp, "fetch only, into a file")]


def name_bare_fetch(driver: str) -> str:
    """Return what the bare fetch of a driver is called."""
    return f"bare fetch, {driver}"


def _read_wire(encryption: str, place: Place, lines: Lines) -> Measured:
    finished = place.run_module("bench.rows.wire_reader", str(place.source.port), lines.query, encryption)
    return Measured(float(finished.last_line), finished.peak_mb)


def _fetch(driver: str, place: Place, lines: Lines) -> Measured:
    finished = place.run_module("bench.rows.driver_fetch", driver, str(place.source.port), lines.query)
    rows, seconds = finished.last_line.split()
    if int(rows) != lines.rows:
        raise ContenderError(f"expected {lines.rows} rows, found {rows}")
    return Measured(float(seconds), finished.peak_mb)


def _copy(place: Place, lines: Lines) -> Measured:
    """Write what the pipeline published to a file, and time its way back."""
    columns = sql.SQL(", ").join(map(sql.Identifier, OPEN_ORDERS.names))
    file = place.directory / f"{lines.table}.copy"
    make_table(place.peers, _COPIED)
    if not file.exists():
        unload = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(OPEN_ORDERS.table), columns)
        with psycopg.connect(place.orders) as orders, orders.cursor().copy(unload) as copy, file.open("wb") as output:
            for data in copy:
                output.write(data)
    load = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(_COPIED), columns)
    with psycopg.connect(place.peers) as peers, file.open("rb") as source:
        peers.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(_COPIED)))
        began = time.monotonic()
        with peers.cursor().copy(load) as copy:
            while data := source.read(_CHUNK):
                copy.write(data)
        peers.commit()
        seconds = time.monotonic() - began
    place.verify(place.peers, _COPIED, lines)
    return Measured(seconds, 0.0)


def _run_freebcp(place: Place, lines: Lines) -> Measured:
    program = find_program(["freebcp"], "freetds-bin", "freebcp, FreeTDS's bulk copy")
    file = place.directory / f"{lines.table}.bcp"
    finished = place.run(
        program, f"dbo.{lines.table}", "out", str(file), "-c",
        "-S", f"{HOST}:{place.source.port}", "-D", DATABASE, "-U", USER, "-P", PASSWORD, TDSVER="7.4", LC_ALL="C.UTF-8",
    )  # fmt: skip
    with file.open("rb") as written:
        rows = sum(1 for _ in written)
    file.unlink()
    if rows != lines.rows:
        raise ContenderError(f"expected {lines.rows} rows, found {rows}: {finished.last_line}")
    return Measured(finished.wall_s, finished.peak_mb)

"""Somebody who reads `open_orders` all the time, and remembers every snapshot that they saw."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import psycopg
from psycopg import sql

from open_orders.contract import OPEN_ORDERS

# A hash of all rows: equal for the same rows in any order, and different for any other rows, as far as 64 bits go.
SNAPSHOT = sql.SQL(
    "SELECT count(*), coalesce(sum(hashtextextended(row({columns})::text, 0)), 0)::text FROM {table}"
).format(columns=sql.SQL(", ").join(map(sql.Identifier, OPEN_ORDERS.names)), table=sql.Identifier(OPEN_ORDERS.table))
Snapshot = tuple[int, str]
PAUSE_S = 0.005


def read_snapshot(connection: psycopg.Connection[Any]) -> Snapshot:
    row = connection.execute(SNAPSHOT).fetchone()
    assert row is not None
    return row[0], row[1]


@dataclass
class Reader:
    """Reads in a thread. `snapshots` are those seen, in order, without repetition; a read while the database is down
    is none."""

    dsn: str
    snapshots: list[Snapshot] = field(default_factory=list)
    reads: int = 0
    worst_wait_s: float = 0
    unexpected: list[str] = field(default_factory=list)
    _done: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._thread = Thread(target=self._read, name="reader")
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def forget(self) -> None:
        """Begin anew with the snapshot that is there now."""
        del self.snapshots[:-1]

    def _read(self) -> None:
        connection = None
        while not self._done.wait(PAUSE_S):
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(self.dsn, autocommit=True, application_name="reader")
                began = time.monotonic()
                snapshot = read_snapshot(connection)
            except psycopg.OperationalError:
                # Down, or starting.
                connection = None
                continue
            except psycopg.Error as error:
                self.unexpected.append(repr(error))
                continue
            self.worst_wait_s = max(self.worst_wait_s, time.monotonic() - began)
            self.reads += 1
            if self.snapshots[-1:] != [snapshot]:
                self.snapshots.append(snapshot)
        if connection is not None:
            connection.close()

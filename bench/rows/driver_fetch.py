"""Nothing but reading all rows through a driver: `python -m bench.rows.driver_fetch DRIVER PORT QUERY`.

Prints the number of rows and the seconds from the connection to the last row.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from bench.rows.stand_in import DATABASE, PASSWORD, USER
from sandbox.ports import HOST

# As the pipeline: it is the fastest.
_ROWS_AT_ONCE = 2500


def main(driver: str, port: str, query: str) -> None:
    """Read the query's rows and drop them."""
    read = {"mssql-python": _read_arrow, "pymssql": _read_tuples}[driver]
    next(read(port, "SELECT 1"))
    began = time.monotonic()
    rows = sum(read(port, query))
    print(rows, time.monotonic() - began)


def _read_arrow(port: str, query: str) -> Iterator[int]:
    import mssql_python

    mssql_python.native_provider = "mssql-odbc"
    connection = mssql_python.connect(
        server=f"{HOST},{port}", database=DATABASE, uid=USER, pwd=PASSWORD,
        encrypt="yes", trustservercertificate="yes", autocommit=True,
    )  # fmt: skip
    cursor = connection.cursor()
    cursor.execute(query)
    for batch in cursor.arrow_reader(_ROWS_AT_ONCE):
        yield batch.num_rows


def _read_tuples(port: str, query: str) -> Iterator[int]:
    import pymssql

    connection = pymssql.connect(HOST, USER, PASSWORD, DATABASE, port=port, tds_version="7.4", autocommit=True)
    cursor = connection.cursor()
    cursor.execute(query)
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield len(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])

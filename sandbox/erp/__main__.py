"""Let time pass in the sample ERP: python -m sandbox.erp --every 60."""

import argparse
import os
import random
import signal
import sys
import threading
from contextlib import closing
from datetime import timedelta

import pymssql

from sandbox.connections import Connection, parse_connection
from sandbox.erp.life import advance, read_last_change
from sandbox.erp.session import connect, read_local_time, read_message

VARIABLE = "AIRFLOW_CONN_ERP_MSSQL"


def main() -> int:
    """Advance the ERP of AIRFLOW_CONN_ERP_MSSQL a tick every so many seconds until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.erp", description=__doc__)
    parser.add_argument("--every", type=float, default=60, metavar="SECONDS", help="length of a tick (default: 60)")
    parser.add_argument(
        "--check",
        type=float,
        metavar="SECONDS",
        help="change nothing; fail when nothing changed for so long, by the ERP's clock",
    )
    arguments = parser.parse_args()
    if VARIABLE not in os.environ:
        parser.error(f"{VARIABLE} is not set; set it to the sample ERP's connection, mssql://user:password@host/ERP.")
    erp = parse_connection(VARIABLE, os.environ[VARIABLE], default_port=1433)
    if arguments.check is not None:
        return _check(erp, timedelta(seconds=arguments.check))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    rng = random.Random()  # noqa: S311 - a made-up ERP
    while not stopping.wait(arguments.every):
        try:
            with closing(connect(erp)) as connection:
                print(advance(connection, now=read_local_time(connection), rng=rng), flush=True)
        except pymssql.Error as error:
            # The ERP can be away for a while, and is so on purpose in fault walk-throughs; life goes on after.
            print(
                f"The sample ERP did not advance, next try in {arguments.every:.0f} s: {read_message(error)}",
                flush=True,
            )
    return 0


def _check(erp: Connection, limit: timedelta) -> int:
    try:
        with closing(connect(erp)) as connection:
            now, last = read_local_time(connection), read_last_change(connection)
    except pymssql.Error as error:
        print(f"The sample ERP does not answer: {read_message(error)}")
        return 1
    print(f"The sample ERP last changed at {last}, now it is {now}")
    return 0 if last is not None and now - last <= limit else 1


if __name__ == "__main__":
    sys.exit(main())

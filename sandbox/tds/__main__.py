"""`python -m sandbox.tds`: a stand-in SQL Server as a process of its own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.tds.faults import FaultsFile
from sandbox.tds.postgres_engine import PostgresEngine
from sandbox.tds.server import StandInServer

PASSWORD_VARIABLE = "SANDBOX_TDS_PASSWORD"  # noqa: S105 - the name of a variable, not a password


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return the command line's options; exits with 2 and a usage line when they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.tds",
        description="Serve a PostgreSQL database to SQL Server clients (TDS 7.4). Not Microsoft SQL Server.",
        epilog=f"The password of --user is read from the environment variable {PASSWORD_VARIABLE}.",
    )
    parser.add_argument("--dsn", required=True, help="PostgreSQL database behind it, as postgresql://…")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=1433, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--user", default="sa", help="login name (default: %(default)s)")
    parser.add_argument("--database", default="ERP", help="name that clients know it by (default: %(default)s)")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="JSON file that says how to misbehave")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    options = parse_arguments(arguments)
    password = os.environ.get(PASSWORD_VARIABLE)
    if not password:
        print(f"error: expected the password of '{options.user}' in {PASSWORD_VARIABLE}, found none", file=sys.stderr)
        return 2
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = StandInServer(
        PostgresEngine(options.dsn, options.database),
        users={options.user: password},
        database=options.database,
        faults=FaultsFile(options.faults) if options.faults else None,
        host=options.host,
        port=options.port,
    )
    try:
        server.start()
    except OSError as error:
        print(f"error: cannot listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"stand-in SQL Server listens on {server.host}:{server.port}, database {options.database}", flush=True)
    stopping.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

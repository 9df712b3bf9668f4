"""Run the open orders sync with nothing installed: python -m sandbox, or bin/quickstart."""

import argparse
import sys
from collections.abc import Callable

import psycopg

from sandbox.airflow_api import AirflowNotReadyError
from sandbox.connections import ConnectionFormatError
from sandbox.interrupts import raise_interrupts
from sandbox.job_log import NoJobLogError
from sandbox.ports import PortTakenError
from sandbox.postgres import PostgresError
from sandbox.privileges import PrivilegesError
from sandbox.processes import ProcessesError, read_tail
from sandbox.progress import CommandError, say
from sandbox.quickstart import Options, Quickstart, StartError
from sandbox.source import SourceError, parse_faults
from sandbox.state import State, StateLockedError, find_state_root
from sandbox.tds.faults import FaultsFormatError

SUCCEEDED, FAILED, NOT_STARTED, INTERRUPTED = 0, 1, 3, 130

DESCRIPTION = """\
Start Airflow with the DAG sync_open_orders, its databases and a sample ERP, trigger a run, print its job log, and
keep everything running until Ctrl-C. Nothing needs to be installed but Python; all data lives in .sandbox/
(or in OPEN_ORDERS_SANDBOX_DIR).

To use your own databases, set AIRFLOW_CONN_ERP_MSSQL and/or AIRFLOW_CONN_ORDERS_DB to their connection URIs, and
AIRFLOW_CONN_ORDERS_DB_WEB to that of a role with which the pages only read."""

EXAMPLES = """\
examples:
  bin/quickstart                                   start, show a run, keep running
  bin/quickstart --once                            exit after the first run; 0 when it succeeded
  bin/quickstart --reset --rows 200000             begin anew with 200,000 open order lines
  bin/quickstart --once --fault refuse_logins      see what a failed run looks like
  bin/quickstart --fault drop_after_rows=100       the source hangs up after 100 rows
  AIRFLOW_CONN_ERP_MSSQL='mssql://user:password@erp.example:1433/ERP' bin/quickstart

exit codes: 0 the run succeeded, 1 the run failed, 2 wrong usage, 3 could not start"""


def parse_options(arguments: list[str]) -> Options:
    """Return what the command line asks for; exits with 2 and a message when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="bin/quickstart",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="exit after the first run")
    parser.add_argument(
        "--rows",
        type=_count_between(2, 10_000_000),
        metavar="N",
        help="open order lines of a new sample ERP (default: 5000)",
    )
    parser.add_argument(
        "--port",
        type=_count_between(1, 65535),
        default=Options.port,
        metavar="N",
        help="the web UI's port (default: %(default)s)",
    )
    parser.add_argument("--reset", action="store_true", help="remove the sandbox's data first, without asking")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="make the stand-in SQL Server misbehave during this start (names: sandbox/tds/README.md); repeatable",
    )
    found = parser.parse_args(arguments)
    try:
        faults = parse_faults(found.fault)
    except FaultsFormatError as error:
        parser.error(f"--fault: {error}")
    return Options(once=found.once, rows=found.rows, port=found.port, reset=found.reset, faults=faults)


def main() -> int:
    """Return the exit code."""
    options = parse_options(sys.argv[1:])
    raise_interrupts()
    root = find_state_root()
    try:
        state = State(root)
        with state.lock():
            outcome = Quickstart(options, state).run()
    except NoJobLogError as error:
        say(f"\n{error}\nThe end of {state.logs_dir / 'processes.log'}:\n{read_tail(state.logs_dir / 'processes.log')}")
        return FAILED
    except KeyboardInterrupt:
        say("\nInterrupted; everything is stopped.")
        return INTERRUPTED
    except (
        AirflowNotReadyError,
        CommandError,
        ConnectionFormatError,
        OSError,
        PortTakenError,
        PostgresError,
        PrivilegesError,
        ProcessesError,
        SourceError,
        StartError,
        StateLockedError,
        psycopg.Error,
    ) as error:
        say(f"\nCould not start: {error}")
        return NOT_STARTED
    return SUCCEEDED if outcome.succeeded else FAILED


def _count_between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a number from {low:,} to {high:,}, found {text}")
        return value

    parse.__name__ = "number"
    return parse


if __name__ == "__main__":
    sys.exit(main())

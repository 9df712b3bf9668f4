"""The quickstart's source: the stand-in SQL Server with the sample ERP in it."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymssql

from sandbox.connections import Connection
from sandbox.erp.life import DEFAULT_OPEN_LINES, Changes, advance, count_open_lines, seed
from sandbox.erp.session import connect, read_local_time, read_message
from sandbox.ports import HOST
from sandbox.progress import announce, say
from sandbox.state import State
from sandbox.tds.faults import Faults, FaultsFormatError

LOGIN = "sa"
DATABASE = "ERP"
START_TIMEOUT_S = 20.0
REPORT_LINES = 50_000


class SourceError(Exception):
    """The stand-in SQL Server or its sample ERP could not be brought up."""


def parse_faults(options: Sequence[str]) -> dict[str, Any]:
    """Return the faults of `--fault NAME[=VALUE]` options; raises FaultsFormatError for an unknown one.

    A value is JSON (`drop_after_rows=100`, `error_after_rows=[10, 1205, 13, 1, "deadlock"]`); no value means true.
    """
    faults: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        try:
            faults[name.strip()] = json.loads(value) if equals else True
        except json.JSONDecodeError as error:
            raise FaultsFormatError(f"{name}={value}: expected a number, true, false or JSON; {error}") from error
    Faults.from_json(json.dumps(faults))
    return faults


def make_connection(state: State) -> Connection:
    """Return the stand-in's connection; port and password are the state's."""
    return Connection(
        scheme="mssql",
        host=HOST,
        port=state.choose_port("sqlserver"),
        login=LOGIN,
        password=state.read_secret("sqlserver_password"),
        database=DATABASE,
        # It signs its certificate itself.
        extras={"trust_server_certificate": "true"},
    )


def build_stand_in_environment(erp: Connection, behind: Connection, faults_file: Path) -> Mapping[str, str]:
    """Return the variables that the Procfile's `sqlserver` reads.

    Args:
        erp: where it listens and who may log in.
        behind: the PostgreSQL database that holds its tables.
        faults_file: tells it to misbehave while it exists.
    """
    # The address without the password, which libpq reads from PGPASSWORD: others can read command lines.
    address = f"postgresql://{behind.login}@{behind.host}:{behind.port}/{behind.database}"
    return {
        "SANDBOX_TDS_PORT": str(erp.port),
        "SANDBOX_TDS_USER": erp.login,
        "SANDBOX_TDS_PASSWORD": erp.password,
        "SANDBOX_TDS_DATABASE": erp.database,
        "SANDBOX_TDS_DSN": address,
        "SANDBOX_TDS_FAULTS": str(faults_file),
        "PGPASSWORD": behind.password,
    }


def await_login(erp: Connection, check: Callable[[], None]) -> None:
    """Return when the stand-in lets its user in; `check` raises when it has ended."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        check()
        try:
            connect(erp).close()
        except pymssql.Error as error:
            if time.monotonic() > deadline:
                raise SourceError(
                    f"The stand-in SQL Server did not let {erp.login} in within {START_TIMEOUT_S:.0f} s: "
                    f"{read_message(error)}"
                ) from error
            time.sleep(0.05)
        else:
            return


def ensure_sample(erp: Connection, rows: int | None) -> None:
    """Fill a new sample ERP with `rows` open order lines; leave an existing one alone."""
    with _open_session(erp) as connection:
        existing = count_open_lines(connection)
        if existing is None:
            wanted = DEFAULT_OPEN_LINES if rows is None else rows
            with announce(f"New sample ERP with {wanted:,} open order lines"):
                seed(connection, wanted, now=read_local_time(connection), report=_report_sparingly())
        elif rows is not None and rows != existing:
            say(f"    The sample ERP has {existing:,} open lines already; --rows is for a new one (--reset)")


def let_time_pass(erp: Connection) -> Changes:
    """Let one tick pass in the sample ERP and return what it touched."""
    with _open_session(erp) as connection:
        return advance(connection, now=read_local_time(connection), rng=random.Random())  # noqa: S311 - a made-up ERP


def _report_sparingly() -> Callable[[int], None]:
    due = REPORT_LINES

    def report(written: int) -> None:
        nonlocal due
        if written >= due:
            due = written + REPORT_LINES
            say(f"    {written:,} lines written")

    return report


@contextmanager
def _open_session(erp: Connection) -> Iterator[pymssql.Connection]:
    try:
        with closing(connect(erp)) as connection:
            yield connection
    except pymssql.Error as error:
        raise SourceError(
            f"The sample ERP on {erp} does not work: {read_message(error)}. "
            "sqlserver.log in the logs directory may say why."
        ) from error

"""Check a deployment before its first use, and whenever something is odd: a line for each thing, and what to do.

Nothing is written, and nothing sent but a message to the receivers of alerts with --send-test-alert. A line begins with
✓ (fine), ✗ (wrong) or – (worth knowing, or not checked). The exit code is 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from open_orders.connection_store import read_airflows_own_store

if TYPE_CHECKING:
    from open_orders.check.findings import Finding


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--source",
        default="erp_mssql",
        metavar="CONNECTION",
        help="the source's Airflow connection (default: %(default)s)",
    )
    parser.add_argument("--table", help="check the query and contract of this table only")
    parser.add_argument("--send-test-alert", action="store_true", help="send a message to all receivers of alerts")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)

    from open_orders.check.findings import Outcome, run
    from open_orders.masking import redact

    wrong = 0
    for heading, checks in _plan(options):
        print(f"\n{heading}", flush=True)
        for what, check in checks:
            for finding in run(what, check):
                wrong += finding.outcome is Outcome.FAILED
                print("\n".join(finding.lines()), flush=True)
    print(redact(f"\n{wrong} to put right" if wrong else "\nNothing is wrong"))
    return 1 if wrong else 0


Checks = list[tuple[str, "Callable[[], Iterator[Finding]]"]]


def _plan(options: argparse.Namespace) -> Iterator[tuple[str, Checks]]:
    """Yield what is to be checked, under headings; what a check needs is imported when it is its turn."""
    from open_orders.check import orders_database, source
    from open_orders.contract import ContractDefinitionError
    from open_orders.contracts import find_contracts

    yield (
        "Orders database",
        [
            (orders_database.PIPELINE, orders_database.check_pipeline),
            (orders_database.WEB, orders_database.check_web),
        ],
    )
    try:
        contracts = [contract for contract in find_contracts() if options.table in (None, contract.table)]
    except ContractDefinitionError:
        # The orders database's tables have said so.
        contracts = []
    yield (
        "Source",
        [
            (options.source, partial(source.check_server, options.source)),
            *((contract.table, partial(source.check_query, options.source, contract)) for contract in contracts),
        ],
    )

    from open_orders.check import airflow_itself

    yield (
        "Airflow",
        [
            ("Airflow's database", airflow_itself.check_metadata),
            ("DAGs", airflow_itself.check_dags),
            ("Permissions", airflow_itself.check_permissions),
        ],
    )


if __name__ == "__main__":
    read_airflows_own_store()
    # Airflow's own log lines would stand between ours.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    logging.disable(logging.ERROR)
    sys.exit(main(sys.argv[1:]))

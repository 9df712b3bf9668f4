"""The pipeline as a contender: a first load into an empty table, then refreshes that change nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bench.rows.contenders import Contender, Measured, Place
from bench.rows.lines import WARM_UP, Lines
from bench.rows.sync_report import STEPS, Report
from open_orders.contract import OPEN_ORDERS

DRIVERS = ("mssql-python", "pymssql")
# Who reads rows first after they were written writes a mark into their pages: only the second refresh is a usual one.
FIRST, AFTER, AGAIN = CASES = ("first load", "the refresh after it", "nothing changed")
# A slow machine shall be measured, not cut short.
_TIMEOUT_S = "1200"


def list_ours() -> list[Contender]:
    """Return the pipeline, once with each driver."""
    return [Contender(name_ours(driver), "ours", partial(_move, driver)) for driver in DRIVERS]


def list_in_no_order() -> list[Contender]:
    """Return the pipeline with the usual driver, which reads the lines in no order."""
    name = f"{name_ours(DRIVERS[0])}, rows in no order"
    return [Contender(name, "ours", lambda place, lines: _move(DRIVERS[0], place, replace(lines, in_order=False)))]


def name_ours(driver: str) -> str:
    """Return what the pipeline with this driver is called."""
    return f"this pipeline, {driver}"


def run_syncs(place: Place, driver: str, tables: list[Lines]) -> Report:
    """Sync from each table in turn, in one process, first into an empty table, and return its report."""
    files = []
    for lines in (WARM_UP, *tables):
        file = place.directory / f"{lines.table}.sql"
        file.write_text(f"SET NOCOUNT ON;\n{lines.query};\n")
        files.append(str(file))
    trust = {"trust_server_certificate": "true"} if driver == DRIVERS[0] else {}
    erp = place.source.address("mssql", driver=driver, timeout=_TIMEOUT_S, **trust)
    finished = place.run_module("bench.rows.sync_process", *files, AIRFLOW_CONN_ERP_MSSQL=erp)
    return Report.read(finished.last_line)


def _move(driver: str, place: Place, lines: Lines) -> Measured:
    report = run_syncs(place, driver, [lines] * len(CASES))
    place.verify(place.orders, OPEN_ORDERS.table, lines)
    cases = {case: sync.steps for case, sync in zip(CASES, report.syncs, strict=True)}
    totals = {case: sum(steps.values()) for case, steps in cases.items()}
    parts = {f"{case}, {step}": steps[step] for case, steps in cases.items() for step in STEPS}
    # The pipeline is as fast as its slowest case.
    return Measured(max(totals.values()), report.peak_mb, totals | parts, report.peak_mb - report.baseline_mb)

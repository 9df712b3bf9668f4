"""What bench/growth.py measures: the other benches' measuring, at one size after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench import publish_cost
from bench.end_to_end import EMPTY, MARGIN, QUIET_TIMEOUT_S, SYNC, median_total, run_quickstart
from bench.end_to_end import measure as measure_runs
from bench.job_history import Size, beat, renew_snapshot
from bench.moving_rows import measure as measure_rows
from bench.moving_rows import prepare
from bench.page_database import data_directory, serve_pages
from bench.page_measurement import time_page
from bench.rows.lines import Lines
from bench.rows.measured_process import ContenderError
from bench.rows.ours import AGAIN, DRIVERS, list_ours, name_ours
from bench.rows.replayed_erp import replay_erp, take_turns
from bench.web_page_list import Page, list_pages
from bench.web_pages_report import describe
from sandbox.progress import say

# The pages of job logs are measured beside so many open orders, and the other way round.
BESIDE, DETAILS_PER_LOG = 1000, 12
# A log with more messages would be a size of its own.
_LARGEST = "the largest log"
_OF_ORDERS = "open orders"
MOVING_STEPS = ("fetch", "import_batches", "publish")
AIRFLOWS_SHARE, SLOWEST = "five empty tasks, % of the sync", "the slowest of all"


@dataclass(frozen=True)
class Effort:
    """How often each is measured: runs of a DAG, rounds of moving rows, requests of a page."""

    runs: int
    rounds: int
    requests: int


# Yields each size with its values.
Measured = Iterator[tuple[int, dict[str, float]]]
Measure = Callable[[Sequence[int], Effort], Measured]


def measure_sync(sizes: Sequence[int], effort: Effort) -> Measured:
    """Trigger the DAG in a quickstart whose ERP replays lines, of which one in a hundred changes between two runs."""
    with replay_erp(sizes) as erp, run_quickstart() as (running, airflow):
        for rows in sizes:
            turns = take_turns(rows)

            def prepare_run(turns: Iterator[Lines] = turns) -> None:
                running.api.await_quiet(SYNC, MARGIN, QUIET_TIMEOUT_S)
                erp.show(next(turns))

            times = measure_runs(airflow, effort.runs, prepare_run, f"bench_{rows}")
            values = {SYNC: median_total(times[SYNC]), EMPTY: median_total(times[EMPTY])}
            for tasks in zip(*(run.tasks for run in times[SYNC]), strict=True):
                values[tasks[0].name] = median(task.work_s for task in tasks)
            yield rows, values | {AIRFLOWS_SHARE: 100 * values[EMPTY] / values[SYNC]}


def measure_moving(sizes: Sequence[int], effort: Effort) -> Measured:
    """Move rows with each driver, a process for each size."""
    with prepare([Lines(rows) for rows in sizes]) as place:
        for rows in sizes:
            values: dict[str, float] = {}
            for outcome in measure_rows(place, list_ours(), [Lines(rows)], effort.rounds):
                if outcome.error is not None:
                    raise ContenderError(f"{outcome.contender.name}: {outcome.error}")
                name = outcome.contender.name
                values |= {f"{name}, {part}": outcome.part(part) for part in outcome.goes[0].parts}
                values |= {f"{name}, MB": outcome.peak_mb, f"{name}, MB over Airflow": outcome.growth_mb}
                values[f"{name}, rows/s"] = rows / outcome.part(AGAIN)
            values |= {
                f"{step}, rows/s": rows / values[f"{name_ours(DRIVERS[0])}, {AGAIN}, {step}"] for step in MOVING_STEPS
            }
            yield rows, values


def measure_publish(sizes: Sequence[int], effort: Effort) -> Measured:
    """Refresh with none, 1 % and all of the orders changed, and truncate and insert."""
    for rows in sizes:
        tables = {share: Lines(rows, share) for share in publish_cost.SHARES}
        with prepare(list(tables.values()), publish_cost.SETTINGS) as place:
            goes = publish_cost.measure(place, tables, effort.rounds)
        values: dict[str, float] = {}
        for name, found in goes.items():
            values[f"{name}, WAL kB"] = median(go.wal_bytes for go in found) / 1000
            values[f"{name}, dead rows"] = median(go.dead_rows for go in found)
            values[f"{name}, seconds"] = median(go.seconds for go in found)
        yield rows, values


def measure_pages_of_logs(sizes: Sequence[int], effort: Effort) -> Measured:
    """Ask for the pages and API of the job logs, with so many of them, each with a usual log's messages."""
    for logs in sizes:
        size = Size(logs, DETAILS_PER_LOG, DETAILS_PER_LOG, BESIDE)
        yield logs, _time_pages(size, effort, lambda page: page.group != _OF_ORDERS and _LARGEST not in page.name)


def measure_pages_of_orders(sizes: Sequence[int], effort: Effort) -> Measured:
    """Ask for the pages and API of the open orders, with so many of them."""
    for lines in sizes:
        size = Size(BESIDE, DETAILS_PER_LOG, DETAILS_PER_LOG, lines)
        yield lines, _time_pages(size, effort, lambda page: page.group == _OF_ORDERS)


def _time_pages(size: Size, effort: Effort, is_wanted: Callable[[Page], bool]) -> dict[str, float]:
    """Return the milliseconds of each page: `…, median`, `…, p95`, and `…, complete` (median) of one asked anew.

    For the median and the 95 % also the most of any page.
    """
    values: dict[str, float] = {}
    with data_directory(None) as directory, serve_pages(size, directory) as (server, _, orders):
        for page in filter(is_wanted, list_pages(orders)):
            beat(orders)
            timing = time_page(server, page, effort.requests, lambda: renew_snapshot(orders))
            say(f"  {describe(timing)}")
            name = f"{page.group}: {page.name}"
            values |= {f"{name}, median": timing.median_ms, f"{name}, p95": timing.p95_ms}
            if timing.complete_ms:
                values[f"{name}, complete"] = median(timing.complete_ms)
    for figure in ("median", "p95"):
        values[f"{SLOWEST}, {figure}"] = max(value for name, value in values.items() if name.endswith(f", {figure}"))
    return values

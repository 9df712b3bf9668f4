"""What docs/performance.md shows of the figures of bench/growth.py: for each part a plot and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

from bench.end_to_end import EMPTY, SYNC
from bench.growth_figures import Figures, Point
from bench.growth_parts import (
    AIRFLOWS_SHARE,
    BESIDE,
    DETAILS_PER_LOG,
    MOVING_STEPS,
    SLOWEST,
    Measure,
    measure_moving,
    measure_pages_of_logs,
    measure_pages_of_orders,
    measure_publish,
    measure_sync,
)
from bench.publish_cost import AFTER_LOAD, PEER, SHARES, name_share
from bench.rows.ours import AFTER, AGAIN, DRIVERS, FIRST, name_ours

BEGIN, END = "<!-- bin/bench growth writes from here … -->", "<!-- … to here -->"
PLOTS = "plots"
_WIDTH = 120
ROWS_SIZES, LOGS_SIZES = (1000, 10_000, 100_000, 1_000_000), (1, 1000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Line:
    """A line of a plot and row of a table: its name there, and that of its values."""

    label: str
    value: str


@dataclass(frozen=True)
class Panel:
    """A plot and a table of values of one unit."""

    unit: str
    lines: Sequence[Line]
    # Not drawn, but in the table.
    beside: Sequence[Line] = ()


@dataclass(frozen=True)
class Part:
    """Something that is measured at all sizes.

    name: of the command line, and of the file of the plot; size: what the sizes count; small: sizes for a try.
    """

    name: str
    title: str
    text: str
    size: str
    sizes: Sequence[int]
    small: Sequence[int]
    measure: Measure
    panels: Sequence[Panel]


_FAST, _SLOW = (name_ours(driver) for driver in DRIVERS)
_REFRESHES = (
    *((f"{share:.0%} changed", name_share(share)) for share in SHARES),
    ("0% changed, the first after a load", AFTER_LOAD),
    (PEER, PEER),
)
_STEP_NAMES = {"fetch": "fetch", "import_batches": "import", "publish": "publish"}


def _page_panels(names: Sequence[str], anew: Sequence[str] = ()) -> list[Panel]:
    """Return the panels of some pages; those asked anew have one for when their answer is complete."""
    drawn = [*names, *anew, SLOWEST]
    panels = [
        Panel(unit, [Line(name, f"{name}, {figure}") for name in drawn])
        for unit, figure in (("median ms", "median"), ("95 % ms", "p95"))
    ]
    complete = Panel("complete after ms (median)", [Line(name, f"{name}, complete") for name in anew])
    return [*panels, complete] if anew else panels


PARTS = (
    Part(
        "sync", "The sync, from trigger to success",
        f"Of the DAG in an Airflow with LocalExecutor, at the median; one order in a hundred changed. The steps as "
        f"Airflow times their tasks, start of the process included. Beside it `{EMPTY}` in the same Airflow, in turn.",
        "orders", ROWS_SIZES, (1000,), measure_sync,
        [
            Panel(
                "seconds",
                [Line(SYNC, SYNC), Line(EMPTY, EMPTY), *(Line(f"task {step}", step) for step in MOVING_STEPS)],
                [Line(AIRFLOWS_SHARE, AIRFLOWS_SHARE)],
            )
        ],
    ),
    Part(
        "moving_rows", "Moving rows",
        f"The steps alone, without Airflow's scheduler, with {DRIVERS[0]} unless {DRIVERS[1]} is said; all rows new in "
        "the first load. Rows per second and single steps are of a refresh that finds nothing changed. Memory is the "
        "most that the process has, and how much of it comes on top of the interpreter with Airflow imported.",
        "rows", ROWS_SIZES, (1000,), measure_moving,
        [
            Panel(
                "seconds",
                [
                    Line("all steps, first load", f"{_FAST}, {FIRST}"),
                    Line("all steps, the refresh after it", f"{_FAST}, {AFTER}"),
                    Line("all steps, nothing changed", f"{_FAST}, {AGAIN}"),
                    *(Line(_STEP_NAMES[step], f"{_FAST}, {AGAIN}, {step}") for step in MOVING_STEPS),
                    Line(f"all steps, nothing changed, {DRIVERS[1]}", f"{_SLOW}, {AGAIN}"),
                ],
            ),
            Panel(
                "rows/s",
                [
                    Line("all steps", f"{_FAST}, rows/s"),
                    *(Line(_STEP_NAMES[step], f"{step}, rows/s") for step in MOVING_STEPS),
                    Line(f"all steps, {DRIVERS[1]}", f"{_SLOW}, rows/s"),
                ],
            ),
            Panel(
                "memory MB",
                [
                    *(Line(driver, f"{name_ours(driver)}, MB") for driver in DRIVERS),
                    *(Line(f"{driver}, over Airflow", f"{name_ours(driver)}, MB over Airflow") for driver in DRIVERS),
                ],
            ),
        ],
    ),
    Part(
        "publish_cost", "What a refresh costs the orders database",
        "From the truncation of staging to the publish, with the job log, after a checkpoint; beside a transaction "
        "that truncates a table like `open_orders` and inserts the rows. Dead rows are the versions that updates and "
        "deletes left. Who reads rows first after they were written writes a mark into their pages: that is what the "
        "first refresh after a load costs more.",
        "orders", ROWS_SIZES, (1000,), measure_publish,
        [
            Panel(unit, [Line(label, f"{name}, {unit}") for label, name in _REFRESHES])
            for unit in ("WAL kB", "dead rows", "seconds")
        ],
    ),
    Part(
        "pages_of_logs", "Pages, by job logs",
        f"Server time as a browser on the same machine sees it. {DETAILS_PER_LOG} messages a job log, beside "
        f"{BESIDE:,} open orders; the slowest of all pages and API calls of the job logs but those of one very large "
        "log.",
        "job logs", LOGS_SIZES, (1, 1000), measure_pages_of_logs,
        _page_panels([
            "list: first page", "list: half way down", "list: errors only, half way down", "list: a month long ago",
            "list: text in a few messages", "list: text nowhere", "detail: a usual log",
            "api: activity (what an open list asks)",
        ]),
    ),
    Part(
        "pages_of_orders", "Pages, by open orders",
        f"Beside {BESIDE:,} job logs; the slowest of all pages and API calls of the open orders. \"Anew\" is what "
        "nobody has asked for since the last sync: the page is there at once, and complete when all was read.",
        "open orders", ROWS_SIZES, (1000,), measure_pages_of_orders,
        _page_panels(
            [
                "open orders: first page", "open orders: deep page", "open orders: changes of the last sync",
                "open orders: API, open orders",
            ],
            [
                "open orders: anew: search: an item", "open orders: anew: search: no hit",
                "open orders: anew: sorted by amount_open, first and deep page",
            ],
        ),
    ),
)  # fmt: skip


def insert(page: str, figures: Figures) -> str:
    """Return the page with what the figures say between the marks, and the rest as it is; raises ValueError without."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected {BEGIN!r} and {END!r} in the page")
    return f"{before}{BEGIN}\n\n{render(figures)}\n\n{END}{after}"


def render(figures: Figures) -> str:
    """Return the parts that were measured, as Markdown."""
    return "\n\n".join(
        section for part in PARTS if (points := figures.points(part.name)) for section in _render(part, points)
    )


def _render(part: Part, points: Sequence[Point]) -> list[str]:
    return [
        f"### {part.title}",
        fill(part.text, _WIDTH),
        f"![{part.title}: {', '.join(panel.unit for panel in part.panels)} by {part.size}]({PLOTS}/{part.name}.svg)",
        *(_tabulate(part, panel, points) for panel in part.panels),
        fill(_tell_conditions(points), _WIDTH),
    ]


def _tabulate(part: Part, panel: Panel, points: Sequence[Point]) -> str:
    sizes = " | ".join(f"{point.size:,}" for point in points)
    lines = [f"| {panel.unit}, by {part.size} | {sizes} |", f"|---|{'--:|' * len(points)}"]
    for line in (*panel.lines, *panel.beside):
        cells = " | ".join(_format(point.values.get(line.value)) for point in points)
        lines.append(f"| {line.label} | {cells} |")
    return "\n".join(lines)


def _format(value: float | None) -> str:
    """Return a value with three digits, or all those before the point."""
    if value is None:
        return "–"
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _tell_conditions(points: Sequence[Point]) -> str:
    """Return when and on what the points were measured."""
    dates = sorted(point.measured for point in points)
    when = f"on {dates[0]}" if dates[0] == dates[-1] else f"from {dates[0]} to {dates[-1]}"
    versions = list(dict.fromkeys(f"{name} {found}" for point in points for name, found in point.versions.items()))
    loads = sorted(point.load for point in points)
    return (
        f"Measured by `bin/bench growth` {when}; {' and '.join(sorted({point.machine for point in points}))}, load "
        f"{loads[0]} to {loads[-1]} over five minutes; {', '.join(versions)}; `fsync` off."
    )

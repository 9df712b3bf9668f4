"""What each thing costs by its size: the sync, moving rows, a refresh, pages, at 10³ to 10⁶ rows and 1 to 10⁶ job logs.

Each figure is kept in bench/results/growth.json as soon as it is measured; docs/performance.md and docs/plots are
written from that file. So parts and sizes can be measured one by one, anew or after an interruption:

    bin/bench growth                                    everything, most of an hour
    bin/bench growth --missing                          what the file doesn't have yet
    bin/bench growth --only moving_rows --sizes 1000000
    bin/bench growth --write                            nothing: write the page and the plots
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.growth_figures import Figures
from bench.growth_parts import Effort
from bench.growth_plots import draw
from bench.growth_report import PARTS, PLOTS, Part, insert
from sandbox.progress import announce, say
from sandbox.state import REPOSITORY

FIGURES = Path(__file__).with_name("results") / "growth.json"
PAGE = REPOSITORY / "docs" / "performance.md"
EFFORT, SMALL_EFFORT = Effort(runs=8, rounds=3, requests=20), Effort(runs=1, rounds=1, requests=1)


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(arguments)
    figures = Figures(options.figures)
    parts = [] if options.write else [part for part in PARTS if options.only in ("", part.name)]
    effort = SMALL_EFFORT if options.small else EFFORT
    for part in parts:
        sizes = _choose(part, figures, options)
        if not sizes:
            continue
        with announce(f"{part.title}: {', '.join(f'{size:,}' for size in sizes)} {part.size}"):
            for size, values in part.measure(sizes, effort):
                figures.add(part.name, size, values)
                say(f"  ✓ {part.title}: {size:,} {part.size}")
    options.page.write_text(insert(options.page.read_text(), figures))
    for file in (options.page, *draw(figures, options.page.with_name(PLOTS))):
        say(f"  Written: {file}")
    return 0


def _choose(part: Part, figures: Figures, options: argparse.Namespace) -> Sequence[int]:
    """Return the sizes that are to be measured, the smallest first."""
    sizes = options.sizes or (part.small if options.small else part.sizes)
    known = {point.size for point in figures.points(part.name)} if options.missing else set()
    return sorted(set(sizes) - known)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--only", default="", choices=names, metavar="PART", help=f"one of {', '.join(names)}")
    parser.add_argument("--sizes", type=int, nargs="+", help="these instead of all (rows in thousands)")
    parser.add_argument("--missing", action="store_true", help="measure only what the file doesn't have yet")
    parser.add_argument("--write", action="store_true", help="measure nothing; write the page and the plots")
    parser.add_argument("--small", action="store_true", help="few rows and logs, once")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="the file of the figures (%(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page; plots go beside it (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

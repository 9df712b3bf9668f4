"""The plots of bench/growth.py as SVG: the same figures make the same file."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from bench.growth_figures import Figures, Point
from bench.growth_report import PARTS, Panel, Part

# White also where the page is dark; text stays text, which is smaller and is read out.
_STYLE = {
    "svg.hashsalt": "growth",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "figure.facecolor": "white",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.markersize": 4,
}
# Okabe and Ito's, which colour-blind people tell apart; the marks differ, too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F", "#8C6D31")
_MARKS = "osD^vPX*<"
# Beside the outermost points, which would be cut in two on the edge.
_ROOM = 1.05
_PANEL_INCHES, _HEIGHT_INCHES, _LEGEND_LINE_INCHES = 4.2, 3.0, 0.19


def draw(figures: Figures, directory: Path) -> list[Path]:
    """Write a file for each part that was measured, and return them."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for part in PARTS:
        if points := figures.points(part.name):
            files.append(directory / f"{part.name}.svg")
            _draw(part, points, files[-1])
    return files


def _draw(part: Part, points: Sequence[Point], file: Path) -> None:
    legend_inches = _LEGEND_LINE_INCHES * max(len(panel.lines) for panel in part.panels)
    size = (_PANEL_INCHES * len(part.panels), _HEIGHT_INCHES + legend_inches)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(part.panels), squeeze=False)[0], part.panels, strict=True):
            _draw_panel(axes, part, panel, points)
        figure.savefig(file, metadata={"Date": None, "Creator": None})


def _draw_panel(axes: Axes, part: Part, panel: Panel, points: Sequence[Point]) -> None:
    drawn: list[float] = []
    for line, colour, mark in zip(panel.lines, _COLOURS, _MARKS, strict=False):
        # A logarithm has no nothing.
        known = [(point.size, value) for point in points if (value := point.values.get(line.value))]
        axes.plot(
            [size for size, _ in known], [value for _, value in known], color=colour, marker=mark, label=line.label
        )
    axes.set(xlabel=part.size, title=panel.unit)
    if drawn:
        axes.set(xscale="log", yscale="log")
        # Whole decades, so that the ticks between them need no numbers.
        axes.set_ylim(10 ** floor(log10(min(drawn) / _ROOM)), 10 ** ceil(log10(max(drawn) * _ROOM)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=8)

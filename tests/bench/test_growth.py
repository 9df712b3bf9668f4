"""The bench of growth: the page says what the figures say, and each part runs through at a small size."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.growth import FIGURES, PAGE
from bench.growth_figures import Figures
from bench.growth_plots import draw
from bench.growth_report import BEGIN, END, PARTS, PLOTS, Part, insert
from tests.bench.test_web_pages import run_bench

EMPTY_PAGE = f"# Title\n\n{BEGIN}\n{END}\n\nThe end.\n"


def make_figures(tmp_path: Path) -> Figures:
    figures = Figures(tmp_path / "figures.json")
    for part in PARTS:
        for size in (1000, 10_000):
            values = {line.value: size / 7 for panel in part.panels for line in (*panel.lines, *panel.beside)}
            figures.add(part.name, size, values)
    return figures


def test_page_and_plots_are_written_from_the_figures(tmp_path: Path) -> None:
    figures = Figures(FIGURES)
    assert PAGE.read_text() == insert(PAGE.read_text(), figures)
    for file in draw(figures, tmp_path):
        assert file.read_bytes() == (PAGE.parent / PLOTS / file.name).read_bytes()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_each_part_is_measured_at_all_sizes(part: Part) -> None:
    points = Figures(FIGURES).points(part.name)
    assert [point.size for point in points] == sorted(part.sizes)
    drawn = {line.value for panel in part.panels for line in (*panel.lines, *panel.beside)}
    assert {point.size: drawn - point.values.keys() for point in points} == {point.size: set() for point in points}


def test_figures_are_kept_and_a_new_one_takes_the_place_of_the_old(tmp_path: Path) -> None:
    make_figures(tmp_path).add("sync", 1000, {"sync_open_orders": 1.23456})
    first, second = Figures(tmp_path / "figures.json").points("sync")
    assert (first.size, first.values) == (1000, {"sync_open_orders": 1.235})
    assert second.size == 10_000
    assert {"Python", "PostgreSQL", "apache-airflow"} <= set(first.versions)


def test_two_runs_keep_what_both_measured(tmp_path: Path) -> None:
    one, other = Figures(tmp_path / "figures.json"), Figures(tmp_path / "figures.json")
    one.add("sync", 1000, {"sync_open_orders": 1.0})
    other.add("sync", 10_000, {"sync_open_orders": 2.0})
    assert [point.size for point in Figures(tmp_path / "figures.json").points("sync")] == [1000, 10_000]


def test_page_keeps_what_is_written_by_hand(tmp_path: Path) -> None:
    figures = make_figures(tmp_path)
    page = insert(EMPTY_PAGE, figures)
    assert page.startswith("# Title\n")
    assert page.endswith("\n\nThe end.\n")
    assert "| seconds, by orders | 1,000 | 10,000 |" in page
    assert "| sync_open_orders | 143 | 1,429 |" in page
    assert insert(page, figures) == page
    with pytest.raises(ValueError, match="writes from here"):
        insert("# No marks\n", figures)


def test_same_figures_draw_the_same_file(tmp_path: Path) -> None:
    figures = make_figures(tmp_path)
    first, second = draw(figures, tmp_path / "first"), draw(figures, tmp_path / "second")
    assert [file.name for file in first] == [f"{part.name}.svg" for part in PARTS]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_what_was_not_measured_is_a_dash_and_an_empty_plot(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "figures.json")
    figures.add("pages_of_orders", 1000, {"open orders: first page, median": 20.0})
    assert "| open orders: deep page | – |" in insert(EMPTY_PAGE, figures)
    assert [file.name for file in draw(figures, tmp_path)] == ["pages_of_orders.svg"]


def run_growth(tmp_path: Path, *arguments: str) -> str:
    page = tmp_path / "page.md"
    page.write_text(EMPTY_PAGE)
    done = run_bench("growth", "--small", "--figures", str(tmp_path / "f.json"), "--page", str(page), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_small_run_of_a_part_is_kept_and_not_repeated(tmp_path: Path) -> None:
    run_growth(tmp_path, "--only", "publish_cost")
    [point] = Figures(tmp_path / "f.json").points("publish_cost")
    assert point.values["this pipeline, 100% changed, dead rows"] >= point.size
    shutil.rmtree(tmp_path / PLOTS)
    assert "migrated" not in run_growth(tmp_path, "--only", "publish_cost", "--missing")
    assert "| 100% changed |" in (tmp_path / "page.md").read_text()
    assert (tmp_path / PLOTS / "publish_cost.svg").exists()


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_small_run_measures_every_part(tmp_path: Path) -> None:
    run_growth(tmp_path)
    figures = Figures(tmp_path / "f.json")
    for part in PARTS:
        points = figures.points(part.name)
        assert [point.size for point in points] == list(part.small)
        for panel in part.panels:
            for line in (*panel.lines, *panel.beside):
                assert all(line.value in point.values for point in points), line
    # A single job log is a history, too.
    assert figures.points("pages_of_logs")[0].size == 1

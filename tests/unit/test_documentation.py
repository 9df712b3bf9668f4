"""What the documentation names exists: files, links, commands, columns. Settings: test_settings.py."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from open_orders.contract import OPEN_ORDERS, Text
from open_orders.models import Base
from open_orders.source_connection import EXTRAS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
)
FOLDERS = (ROOT, ROOT / "tests", *(ROOT / "examples").iterdir())
# Their folders; a name with a … or a wildcard is none.
PLACES = (
    "bin",
    "bench",
    "checks",
    "dags",
    "docs",
    "examples",
    "include",
    "plugins",
    "sandbox",
    "tests",
    "tests_manual",
)


def heading_anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and linked.suffix == ".md" and anchor not in heading_anchors(linked)):
            wrong.append(target)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_and_commands_exist(page: Path) -> None:
    named = re.findall(rf"(?<![\w/.-])((?:{'|'.join(PLACES)})/[\w./-]*\w/?)(?![\w*…{{<-])", page.read_text())
    assert [name for name in named if not any((folder / name).exists() for folder in FOLDERS)] == []


def test_page_on_fitting_has_the_contract() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| (yes|no) \| (key)? ?\|$", (ROOT / "docs" / "fit.md").read_text(), re.M
    )
    described = [
        (name, text.removesuffix(", the ERP's own clock"), nullable == "yes", key == "key")
        for name, text, nullable, key in rows
    ]
    assert described == [
        (
            column.name,
            f"text, at most {column.type.max_length} characters"
            if isinstance(column.type, Text) and column.type.max_length
            else column.type.pg_type,
            column.nullable,
            column.key,
        )
        for column in OPEN_ORDERS.columns
    ]


def test_page_on_fitting_has_the_extras() -> None:
    section = (ROOT / "docs" / "fit.md").read_text().partition("## Connections")[2].partition("## Contract")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == EXTRAS - {"sqlalchemy_scheme"}


def test_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {page.name for page in PAGES if page.parent == ROOT / "docs"} - {"README.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", index)) == pages


def test_architecture_names_every_decision_and_table_and_tests_that_there_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    decisions = {f"adr/{file.name}" for file in (ROOT / "docs" / "adr").iterdir()}
    assert set(re.findall(r"\((adr/[^)]+)\)", page)) == decisions
    tables = page.partition("## Tables")[2].partition("## The cut")[0]
    assert {name for name in Base.metadata.tables if f"`{name}`" not in tables} == set()
    named = re.findall(r"`((?:integration|faults|web|ui|dags)/(?:test_\w+\.py)?)`", page)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []

"""The walk-throughs of tests_manual name commands, routes and each other as they are; tests/e2e runs their commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sandbox.source import parse_faults
from tests.web.routes import walk_plugin
from tests_manual.prepare import parse
from tests_manual.routes import PATHS

FOLDER = Path(__file__).parents[2] / "tests_manual"
WALKS = sorted(FOLDER.glob("[0-9][0-9]_*.md"))
COMMANDS = sorted(
    {found for file in WALKS for found in re.findall(r"`tests_manual/prepare ([^`]+)`", file.read_text())}
)


def test_index_has_every_walk_through_and_every_point_has_one() -> None:
    index = (FOLDER / "README.md").read_text()
    stories, points = index.split("By what is to be validated:")
    assert re.findall(r"\]\((\d\d_\w+\.md)\)", stories) == [file.name for file in WALKS]
    named = re.findall(r"^\| [^|]+ \| ((?:\d\d(?:, )?)+) \|$", points, re.MULTILINE)
    assert len(named) >= 12
    numbers = {number for found in named for number in found.split(", ")}
    assert numbers <= {file.name[:2] for file in WALKS}


@pytest.mark.parametrize("file", WALKS, ids=lambda file: file.name)
def test_walk_through_has_steps_and_says_what_must_be_seen(file: Path) -> None:
    text = file.read_text()
    steps = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    assert [int(step) for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 3
    assert text.count("**Seen:**") >= len(steps) / 2


@pytest.mark.parametrize("command", COMMANDS)
def test_named_command_is_one_that_prepare_knows(command: str) -> None:
    options = parse(shlex.split(command))
    # Raises for a name that the stand-in doesn't know.
    parse_faults(getattr(options, "fault", []))


@pytest.mark.parametrize("command", ["", *sorted({command.split()[0] for command in COMMANDS})])
def test_help_is_given(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parse([*command.split(), "--help"])
    assert "usage: tests_manual/prepare" in capsys.readouterr().out


def test_routes_that_are_asked_are_all_there_are() -> None:
    assert sorted(PATHS) == sorted(found.path for found in walk_plugin() if found.asks)

"""docs/upgrade.md has what each revision brings and what its downgrade loses, in the words of the revision."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory

from open_orders import migrations

ROOT = Path(__file__).parents[2]
SCRIPTS = list(ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions())


def read_words(text: str | None) -> str:
    return " ".join((text or "").split())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.revision)
def test_every_revision_has_its_row(script: Script) -> None:
    row = f"| {script.revision} | {read_words(script.doc)} | {read_words(script.module.downgrade.__doc__)} |"
    assert row in (ROOT / "docs" / "upgrade.md").read_text().splitlines()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.revision)
def test_every_downgrade_says_what_is_lost(script: Script) -> None:
    assert "lost" in read_words(script.module.downgrade.__doc__), (
        f"{script.path}: say what is lost, or: nothing is lost"
    )

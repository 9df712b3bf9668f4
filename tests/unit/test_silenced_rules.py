"""A security rule that is silenced says why, beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    file for folder in ("plugins", "dags", "sandbox", "bench", "checks") for file in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_silenced_security_rule_has_a_reason(file: Path) -> None:
    for line in file.read_text().splitlines():
        assert not re.search(r"# noqa(: *$|$|: *S\d+(, *S\d+)*\s*$)", line), line
        assert "# nosec" not in line


def test_no_security_rule_is_silenced_for_the_product() -> None:
    config = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^select = \[.*"S",', config, re.MULTILINE)
    ignored = re.findall(r'^"([^"]+)" = \[.*"S\d*"', config, re.MULTILINE)
    assert ignored == ["tests/**"]

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_security_page_names_tests_that_there_are() -> None:
    named = re.findall(r"`(\w+/test_\w+\.py)`", (ROOT / "docs" / "security.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []

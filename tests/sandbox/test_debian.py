from __future__ import annotations

import os

import pytest

from sandbox.debian import ProgramMissingError, find_program


def test_first_program_that_there_is_is_found() -> None:
    assert find_program(["no-such-program", "sh"], "dash", "A shell").endswith("/sh")


def test_who_may_not_install_it_is_told_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    message = (
        "A thing is needed, and none of no-such-program is in the PATH. On Debian or Ubuntu: apt-get install thing"
    )
    with pytest.raises(ProgramMissingError, match=message):
        find_program(["no-such-program"], "thing", "A thing")

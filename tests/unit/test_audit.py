from __future__ import annotations

import json
import subprocess
from datetime import date
from typing import Any

import pytest

from checks import audit
from checks.audit import ACCEPTED, Acceptance, Verdict, judge, read_accepted, read_report

TODAY = date(2026, 11, 24)


def found(name: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulnerabilities)}


def vulnerability(number: int = 1, *fixes: str) -> dict[str, Any]:
    return {"id": f"PYSEC-{number}", "aliases": [f"CVE-{number}", f"GHSA-{number}"], "fix_versions": list(fixes)}


def skipped(name: str) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "skip_reason": "Dependency not found"}


def verdict(*dependencies: dict[str, Any], accepted: tuple[Acceptance, ...] = ()) -> Verdict:
    return judge(read_report(json.dumps({"dependencies": list(dependencies), "fixes": []})), accepted, TODAY)


def acceptance(name: str = "CVE-1", package: str = "one", since: date = TODAY) -> Acceptance:
    return Acceptance(name, package, since, "never called")


def test_nothing_known_passes() -> None:
    assert verdict(found("one"), found("two")) == Verdict(("2 packages audited",), failed=False)


def test_vulnerability_with_a_fix_fails_and_says_how_to_mend_it() -> None:
    judged = verdict(found("one", vulnerability(1, "1.1", "2.0")), found("two"))
    assert judged.failed
    assert "one 1.0: PYSEC-1 CVE-1 GHSA-1; fixed in 1.1, 2.0: bin/lock --upgrade-package one" in "\n".join(judged.lines)


def test_vulnerability_without_a_fix_is_told_and_fails_nothing() -> None:
    judged = verdict(found("one", vulnerability(1)))
    assert not judged.failed
    assert "no fix yet: one 1.0: PYSEC-1 CVE-1 GHSA-1" in judged.lines


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-1", "GHSA-1"])
def test_accepted_vulnerability_passes_under_each_of_its_names(name: str) -> None:
    judged = verdict(found("one", vulnerability(1, "1.1")), accepted=(acceptance(name),))
    assert not judged.failed
    assert any(line.startswith("accepted: one") and "never called" in line for line in judged.lines)


@pytest.mark.parametrize("other", [acceptance("CVE-2"), acceptance(package="two")])
def test_acceptance_is_for_one_vulnerability_of_one_package(other: Acceptance) -> None:
    assert verdict(found("one", vulnerability(1, "1.1")), accepted=(other,)).failed


def test_acceptance_that_is_in_vain_or_old_is_doubted_and_fails_nothing() -> None:
    vain = verdict(found("one"), accepted=(acceptance(),))
    old = verdict(found("one", vulnerability(1, "1.1")), accepted=(acceptance(since=date(2026, 1, 1)),))
    assert "accepted in vain, remove it: one CVE-1" in vain.lines
    assert "accepted since 2026-01-01, look again: one CVE-1" in old.lines
    assert not vain.failed
    assert not old.failed


def test_package_that_could_not_be_asked_about_is_named() -> None:
    judged = verdict(found("one", vulnerability(1, "1.1")), skipped("two"))
    assert "!!! NOT AUDITED: two" in judged.lines
    assert judged.failed


def test_service_that_knows_nothing_fails_nothing_and_says_so_loudly() -> None:
    judged = verdict(skipped("one"), skipped("two"))
    assert judged.lines[0].startswith("!!! NOT AUDITED")
    assert not judged.failed


def run(monkeypatch: pytest.MonkeyPatch, stdout: str, stderr: str = "") -> int:
    done = subprocess.CompletedProcess([], 1, stdout, stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    return audit.main()


@pytest.mark.parametrize(
    ("stdout", "stderr", "says"),
    [
        ("", "Traceback\nConnectionError: no route", "ConnectionError: no route"),
        ("", "", "pip-audit said nothing"),
        ("<html>", "", "Expecting value"),
        ("{}", "", "no 'dependencies'"),
    ],
)
def test_trouble_with_the_network_fails_nothing_and_says_so_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stdout: str, stderr: str, says: str
) -> None:
    assert run(monkeypatch, stdout, stderr) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("!!! NOT AUDITED")
    assert says in shown


def test_service_that_never_answers_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("pip-audit", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert audit.main() == 0
    assert "timed out" in capsys.readouterr().out


def test_exit_code_is_that_of_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, json.dumps({"dependencies": [found("one", vulnerability(1, "1.1"))]})) == 1
    assert run(monkeypatch, json.dumps({"dependencies": [found("one")]})) == 0


def test_every_acceptance_says_since_when_and_why() -> None:
    for entry in read_accepted(ACCEPTED.read_text()):
        assert isinstance(entry.since, date)
        assert len(entry.reason) > 20
    assert (
        read_accepted('[[accepted]]\nid = "CVE-1"\npackage = "one"\nsince = 2026-11-24\nreason = "r"')[0].id == "CVE-1"
    )
    with pytest.raises(TypeError):
        read_accepted('[[accepted]]\nid = "CVE-1"\npackage = "one"')

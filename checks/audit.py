"""Known vulnerabilities of the locked packages, from pip-audit; what fails is one that an upgrade would mend.

Fails: a vulnerability with a released fix that nobody has accepted. Is only told: one without a fix, which nobody here
can mend; one accepted in checks/accepted_vulnerabilities.toml; and, loudly, that the service could not be asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements-dev.txt"
ACCEPTED = Path(__file__).with_name("accepted_vulnerabilities.toml")
TIMEOUT_S = 300
LOOK_AGAIN = timedelta(days=180)
COMMAND = (
    *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"),
    *("--format", "json", "--aliases", "on", "--desc", "off", "--progress-spinner", "off"),
)


@dataclass(frozen=True)
class Vulnerability:
    """What is known of one package; `ids` are its names in all lists, `fixes` the versions without it."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {' '.join(self.ids)}"


@dataclass(frozen=True)
class Acceptance:
    """A vulnerability that is let pass, since when and why."""

    id: str
    package: str
    since: date
    reason: str


@dataclass(frozen=True)
class Report:
    """What pip-audit found, and the packages that it could not ask about."""

    audited: frozenset[str]
    unaudited: frozenset[str]
    vulnerabilities: tuple[Vulnerability, ...]


@dataclass(frozen=True)
class Verdict:
    """What there is to say, and whether the check fails."""

    lines: tuple[str, ...]
    failed: bool


def main() -> int:
    """Ask, say what was found, and return the exit code."""
    try:
        report = read_report(ask())
    except (ValueError, subprocess.TimeoutExpired) as error:
        verdict = unreachable(str(error))
    else:
        verdict = judge(report, read_accepted(ACCEPTED.read_text(encoding="utf-8")), datetime.now(UTC).date())
    print("\n".join(verdict.lines))
    return int(verdict.failed)


def ask() -> str:
    """Return pip-audit's report; raises ValueError with its last words when there is none."""
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if not done.stdout.strip():
        raise ValueError((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1])
    return done.stdout


def read_report(text: str) -> Report:
    """Return the report that a JSON document of pip-audit holds; raises ValueError."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"pip-audit's report has no {error}") from error
    audited = {found["name"]: found for found in dependencies if "skip_reason" not in found}
    return Report(
        frozenset(audited),
        frozenset(found["name"] for found in dependencies) - frozenset(audited),
        tuple(_vulnerability(found, one) for found in audited.values() for one in found["vulns"]),
    )


def _vulnerability(found: Mapping[str, Any], one: Mapping[str, Any]) -> Vulnerability:
    ids = (one["id"], *one.get("aliases", ()))
    return Vulnerability(found["name"], found["version"], ids, tuple(one["fix_versions"]))


def read_accepted(text: str) -> list[Acceptance]:
    """Return what is accepted; raises TypeError for a table that lacks something or has something else."""
    return [Acceptance(**table) for table in tomllib.loads(text).get("accepted", [])]


def unreachable(reason: str) -> Verdict:
    """Return that nothing could be asked: no failure of the code, but nothing to overlook either."""
    return Verdict((*_banner("NOT AUDITED: no list of vulnerabilities could be asked"), f"  {reason}"), failed=False)


def judge(report: Report, accepted: Iterable[Acceptance], today: date) -> Verdict:
    """Return the verdict on a report."""
    if not report.audited:
        return unreachable(f"It knows none of the {len(report.unaudited)} packages")
    lines = [f"{len(report.audited)} packages audited"]
    if report.unaudited:
        lines += _banner(f"NOT AUDITED: {', '.join(sorted(report.unaudited))}")
    accepted = list(accepted)
    mendable = []
    for one in report.vulnerabilities:
        acceptance = next((entry for entry in accepted if _concerns(entry, one)), None)
        if acceptance:
            lines.append(f"accepted: {one} ({acceptance.reason})")
        elif one.fixes:
            mendable.append(one)
        else:
            lines.append(f"no fix yet: {one}")
    for entry in accepted:
        lines += _doubts(entry, report, today)
    for one in mendable:
        lines.append(f"VULNERABLE: {one}; fixed in {', '.join(one.fixes)}: bin/lock --upgrade-package {one.package}")
    if mendable:
        lines.append(f"Where nothing newer resolves, or it does not concern us: {ACCEPTED.relative_to(ROOT)}")
    return Verdict(tuple(lines), failed=bool(mendable))


def _concerns(entry: Acceptance, one: Vulnerability) -> bool:
    return entry.package == one.package and entry.id in one.ids


def _doubts(entry: Acceptance, report: Report, today: date) -> list[str]:
    """Return what speaks against an acceptance: nothing fails by it, least of all by the mere passage of time."""
    if entry.package in report.audited and not any(_concerns(entry, one) for one in report.vulnerabilities):
        return [f"accepted in vain, remove it: {entry.package} {entry.id}"]
    if today - entry.since > LOOK_AGAIN:
        return [f"accepted since {entry.since}, look again: {entry.package} {entry.id}"]
    return []


def _banner(text: str) -> list[str]:
    return [f"!!! {text}"]


if __name__ == "__main__":
    sys.exit(main())

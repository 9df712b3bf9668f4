"""The report of bench/moving_rows.py: the goals first, then who took how long and how much memory."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from textwrap import dedent

from bench.rows.contenders import Contender, Measured
from bench.rows.environments import read_versions
from bench.rows.limits import name_bare_fetch
from bench.rows.ours import AGAIN, CASES, DRIVERS, FIRST, name_ours
from bench.rows.peers import DLT, GENERIC_TRANSFER, INGESTR, SLING
from bench.rows.sync_report import STEPS

LEAST_OF_BARE_FETCH, MOST_MEMORY_MB, MOST_GROWTH_MB = 0.7, 200, 20
_OURS = name_ours(DRIVERS[0])


@dataclass
class Outcome:
    """How a contender fared with so many rows: its goes, and the error that ended them."""

    contender: Contender
    rows: int
    goes: list[Measured] = field(default_factory=list)
    error: str | None = None

    @property
    def seconds(self) -> float:
        """The median of its seconds."""
        return median(go.seconds for go in self.goes)

    @property
    def peak_mb(self) -> float:
        """The most memory that it had in any go."""
        return max(go.peak_mb for go in self.goes)

    @property
    def growth_mb(self) -> float:
        """The most memory over its baseline in any go."""
        return max(go.growth_mb or 0 for go in self.goes)

    def part(self, name: str) -> float:
        """Return the median seconds of a part of its work."""
        return median(go.parts[name] for go in self.goes)


@dataclass(frozen=True)
class Goal:
    """What was to be reached, and what was found."""

    text: str
    found: str
    is_met: bool

    def __str__(self) -> str:
        return f"{'✓' if self.is_met else '✗'} {self.text}: {self.found}"


def judge(outcomes: Sequence[Outcome]) -> list[Goal]:
    """Return the goals that can be judged by what was measured."""
    done = {(each.contender.name, each.rows): each for each in outcomes if each.goes}
    sizes = sorted({rows for _, rows in done})
    goals = [goal for rows in sizes for goal in _judge_size(done, rows)]
    found = [done[_OURS, rows] for rows in sizes if (_OURS, rows) in done]
    if len(found) > 1:
        more = found[-1].growth_mb - found[0].growth_mb
        text = f"with {found[-1].rows:,} rows at most {MOST_GROWTH_MB} MB more than with {found[0].rows:,}"
        goals.append(Goal(text, f"{more:+.0f} MB", more <= MOST_GROWTH_MB))
    return goals


def _judge_size(done: dict[tuple[str, int], Outcome], rows: int) -> list[Goal]:
    ours = done.get((_OURS, rows))
    if ours is None:
        return []
    goals = []
    for factor, names in ((2, (SLING, INGESTR)), (3, (DLT,)), (10, (GENERIC_TRANSFER,))):
        peers = [done[name, rows] for name in names if (name, rows) in done]
        if peers:
            fastest = min(peers, key=lambda peer: peer.seconds)
            for case in (AGAIN, FIRST):
                ratio = fastest.seconds / ours.part(case)
                text = f"{rows:,} rows, {case}, at least {factor} times as fast as {fastest.contender.name}"
                goals.append(Goal(text, f"{ratio:.2f} times", ratio >= factor))
    bare = done.get((name_bare_fetch(DRIVERS[0]), rows))
    if bare is not None:
        share = bare.seconds / ours.part(f"{AGAIN}, fetch")
        text = f"{rows:,} rows fetched at {LEAST_OF_BARE_FETCH} of the driver's bare speed or more"
        goals.append(Goal(text, f"{share:.2f}", share >= LEAST_OF_BARE_FETCH))
    memory = Goal(
        f"{rows:,} rows in less than {MOST_MEMORY_MB} MB over the interpreter with Airflow imported",
        f"{ours.growth_mb:.0f} MB", ours.growth_mb < MOST_MEMORY_MB,
    )  # fmt: skip
    return [*goals, memory]


def describe(outcome: Outcome) -> str:
    """Return how it fared, in a line."""
    beginning = f"{outcome.contender.name:<32} {outcome.rows:>9,} rows"
    if outcome.error is not None:
        return f"{beginning}  ✗ {outcome.error}"
    go = outcome.goes[-1]
    return f"{beginning} {go.seconds:8.2f} s {outcome.rows / go.seconds:10,.0f} rows/s {go.peak_mb:6.0f} MB"


def write_report(path: Path, outcomes: Sequence[Outcome], goals: Sequence[Goal], rounds: int, postgres: int) -> None:
    """Write the report as Markdown."""
    parts = [_introduction(rounds, postgres), "\n".join(f"- {goal}" for goal in goals)]
    for rows in sorted({outcome.rows for outcome in outcomes}):
        found = [outcome for outcome in outcomes if outcome.rows == rows]
        parts += [f"## {rows:,} rows", _table(found), _steps(found)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(filter(None, parts)) + "\n")


def _introduction(rounds: int, postgres: int) -> str:
    versions = ", ".join(
        [f"{name} {version(name)}" for name in ("apache-airflow", "mssql-python", "pymssql", "pyarrow")]
        + [f"{peer} {found}" for peer, found in read_versions().items()]
    )
    return dedent(f"""\
        # Moving rows

        Written by `bin/bench moving_rows` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Python
        {platform.python_version()}, PostgreSQL {postgres} with `fsync` off, {os.cpu_count()} cores
        ({platform.machine()}), load {os.getloadavg()[1]:.1f} over the last five minutes. {versions}.

        The contract's columns out of a stand-in SQL Server that replays encoded rows, into one PostgreSQL. Each
        contender in turn, {rounds} rounds, a slow one once; medians, and the most memory of any go. Seconds are
        without the imports of a Python program, and of the whole process for a program without Python. This pipeline
        validates, compares and logs; in the tables its time is that of its slowest case. But where it
        says so rows come in the order of their keys, as from a table with a clustered key. The peers replace a table
        without keys. sling, ingestr and mssql-python read encrypted, pymssql doesn't.""")


def _table(outcomes: Sequence[Outcome]) -> str:
    ours = next((each for each in outcomes if each.contender.name == _OURS and each.goes), None)
    lines = ["| | | seconds | rows/s | × ours | memory MB | goes |", "|---|---|--:|--:|--:|--:|--:|"]
    for outcome in outcomes:
        name = outcome.contender.name + (f" ({outcome.contender.note})" if outcome.contender.note else "")
        if not outcome.goes:
            lines.append(f"| {outcome.contender.kind} | {name} | failed: {outcome.error} | | | | |")
            continue
        ratio = f"{outcome.seconds / ours.seconds:.2f}" if ours else ""
        lines.append(
            f"| {outcome.contender.kind} | {name} | {outcome.seconds:.2f} | {outcome.rows / outcome.seconds:,.0f} "
            f"| {ratio} | {outcome.peak_mb:.0f} | {len(outcome.goes)} |"
        )
    return "\n".join(lines)


def _steps(outcomes: Sequence[Outcome]) -> str:
    """Return the seconds of this pipeline's steps."""
    lines = [f"| | {' | '.join(STEPS)} | all | MB over Airflow |", f"|---|{'--:|' * (len(STEPS) + 2)}"]
    for outcome in outcomes:
        if outcome.contender.kind == "ours" and outcome.goes:
            for case in CASES:
                seconds = [outcome.part(f"{case}, {step}") for step in STEPS] + [outcome.part(case)]
                figures = " | ".join(f"{each:.2f}" for each in seconds)
                lines.append(f"| {outcome.contender.name}, {case} | {figures} | {outcome.growth_mb:.0f} |")
    return "\n".join(lines) if len(lines) > 2 else ""

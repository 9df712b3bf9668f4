"""What a check found, in a line for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy.exc import SQLAlchemyError

from open_orders.contract import ContractDefinitionError
from open_orders.errors import JobError
from open_orders.masking import redact


class Outcome(Enum):
    """How a line begins: fine, wrong, or nothing that could be checked or has to be changed."""

    GOOD = "✓"
    FAILED = "✗"
    NOTE = "–"


@dataclass(frozen=True)
class Finding:
    """One line, what to do when it failed, and what is shown below it."""

    outcome: Outcome
    text: str
    advice: str = ""
    below: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the lines to print, without any secret of a connection."""
        yield redact(f"{self.outcome.value} {self.text}")
        if self.advice:
            yield redact(f"    → {self.advice}")
        yield from (redact(f"    {line}") for line in self.below)


def good(text: str, *below: str) -> Finding:
    """Return the finding that something is as it should be."""
    return Finding(Outcome.GOOD, text, below=below)


def failed(text: str, advice: str) -> Finding:
    """Return the finding that something is wrong, with what to do."""
    return Finding(Outcome.FAILED, text, advice)


def note(text: str, advice: str = "") -> Finding:
    """Return the finding that something could not be checked, or is worth knowing."""
    return Finding(Outcome.NOTE, text, advice)


Check = Callable[[], Iterator[Finding]]


def run(what: str, check: Check) -> Iterator[Finding]:
    """Yield what a check finds; what it could not cope with is a finding, too."""
    try:
        yield from check()
    except AirflowNotFoundException as error:
        yield failed(
            f"{what}: {first_line(error)}",
            "Add the connection in Airflow (Admin, Connections), or set its AIRFLOW_CONN_… variable",
        )
    except (JobError, ContractDefinitionError) as error:
        # Their texts say what to do.
        yield Finding(Outcome.FAILED, f"{what}: {error}")
    except (psycopg.Error, SQLAlchemyError) as error:
        yield failed(f"{what}: {first_line(error)}", "See the database's own log, and the connection in Airflow")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its name when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

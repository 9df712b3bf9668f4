"""Alerts about a job while the orders database, which knows how each job stands, can't be reached.

What people were told is kept by Airflow then, in a variable. As soon as the database answers again that is written down
there, so that the next success is a recovery.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Variable

from open_orders.alert_store import MOST_ATTEMPTS


@dataclass
class Outage:
    """How often a job failed since when without a database, how often people were to be told, and whether they were."""

    since: str
    reason: str
    failures: int = 0
    attempts: int = 0
    told: bool = False

    @property
    def began_at(self) -> datetime:
        """When the first of these runs failed."""
        return datetime.fromisoformat(self.since)

    def is_to_be_told(self, after_failures: int) -> bool:
        """Whether it is time for an alert, or for another attempt."""
        return not self.told and self.failures >= after_failures and self.attempts < MOST_ATTEMPTS


def note_failure(job_name: str, reason: str) -> Outage:
    """Count a run that failed, and return the outage so far."""
    outage = read(job_name) or Outage(datetime.now(UTC).isoformat(), reason)
    outage.failures += 1
    write(job_name, outage)
    return outage


def read(job_name: str) -> Outage | None:
    """Return the outage that is not in the orders database yet."""
    found: dict[str, Any] | None = Variable.get(_key(job_name), default=None, deserialize_json=True)
    return Outage(**found) if found else None


def write(job_name: str, outage: Outage) -> None:
    """Keep it."""
    Variable.set(_key(job_name), asdict(outage), "Kept by open_orders while its database is away", serialize_json=True)


def forget(job_name: str) -> None:
    """Delete it, once the orders database has it."""
    Variable.delete(_key(job_name))


def _key(job_name: str) -> str:
    return f"open_orders_unreachable_{job_name}"

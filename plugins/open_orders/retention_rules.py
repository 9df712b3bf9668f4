"""What is kept for how long, as the settings say: the one list that deletes, and that pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from open_orders.job_status import JobStatus
from open_orders.settings import Settings


@dataclass(frozen=True)
class Rule:
    """Rows that are deleted when they are older than some days, by the statement of `include/sql/retention`."""

    statement: str
    what: str
    days: int
    values: dict[str, Any]


def retention_rules(settings: Settings) -> list[Rule]:
    """Return the rules in the order in which they have to be applied: a log goes after its messages."""
    logs = settings.job_logs_days
    return [
        _details(JobStatus.SUCCESS, "messages of successful runs", min(settings.success_details_days, logs)),
        _details(JobStatus.ERROR, "messages of failed runs", min(settings.failure_details_days, logs)),
        Rule("retention/job_logs", "job logs", logs, {}),
        Rule("retention/rejected_orders", "rejected orders", settings.rejected_days, {}),
    ]


def describe_rules(settings: Settings) -> str:
    """Return what is kept, in words: `messages of successful runs 30 days, …`."""
    return ", ".join(f"{rule.what} {_days(rule.days)}" for rule in retention_rules(settings))


def describe_messages_rule(settings: Settings, status: JobStatus) -> str:
    """Return how long the messages of a run that ended so are kept: `successful runs are kept for 30 days`."""
    rule = retention_rules(settings)[1 if status is JobStatus.ERROR else 0]
    return f"{rule.what.removeprefix('messages of ')} are kept for {_days(rule.days)}"


def _days(days: int) -> str:
    return f"{days:,} day{'' if days == 1 else 's'}"


def _details(status: JobStatus, what: str, days: int) -> Rule:
    return Rule("retention/details", what, days, {"status": int(status)})

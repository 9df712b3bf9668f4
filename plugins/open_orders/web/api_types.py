"""The shapes of the API's answers: stable names, ISO times with their offset, decimals as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model
from typing_extensions import TypedDict

from open_orders.contract import OPEN_ORDERS, Column, Date, Integer, LocalTimestamp, Numeric
from open_orders.web.reading import ShownStatus

Level = Literal["green", "amber", "red", "unknown"]
DetailLevel = Literal["info", "warning", "error"]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Decimals = Annotated[str, Field(json_schema_extra={"format": "decimal"})]


def iso(moment: datetime | None) -> str | None:
    """Return a moment as the API gives it, in UTC."""
    return None if moment is None else iso_utc(moment)


def iso_utc(moment: datetime) -> str:
    """Return a moment as the API gives it, in UTC."""
    return moment.astimezone(UTC).isoformat()


def _field_of(column: Column) -> Any:
    kind: Any = int if isinstance(column.type, Integer) else str
    description = column.description
    schema: dict[str, Any] = {}
    match column.type:
        case Date():
            schema = {"format": "date"}
        case LocalTimestamp():
            description += ": date and time of the ERP's own clock"
        case Numeric():
            schema = {"format": "decimal"}
    return Annotated[kind | None if column.nullable else kind, Field(description=description, json_schema_extra=schema)]


if TYPE_CHECKING:
    OpenOrder = dict[str, Any]
else:
    # The columns are said in the contract, and only there.
    OpenOrder = create_model(
        "OpenOrder",
        **{column.name: _field_of(column) for column in OPEN_ORDERS.columns},
        changed_in_last_sync=Literal["new", "changed"] | None,
    )


class JobLog(TypedDict):
    """One execution of a job."""

    name: Annotated[str, Field(description="Unique: when it was opened, in UTC")]
    job_name: str
    status: Annotated[ShownStatus, Field(description="interrupted: open, but without a sign of life")]
    active: bool
    dag_id: str
    run_id: str
    trigger: str
    triggered_by: str | None
    started_at: Moment
    completed_at: Moment | None
    heartbeat_at: Moment
    duration_s: Annotated[float, Field(description="So far, where the run goes on")]
    fetched: int | None
    imported: int | None
    rejected: int | None
    inserted: int | None
    updated: int | None
    deleted: int | None
    total_after: int | None
    step: Annotated[str | None, Field(description="The last step that began")]
    step_try: int | None
    batch: int | None
    batches: int | None
    error_summary: str | None
    details_deleted_at: Annotated[Moment | None, Field(description="When messages were deleted because of their age")]


class JobLogs(TypedDict):
    """A page of job logs, newest first."""

    job_logs: list[JobLog]
    newer: Annotated[str | None, Field(description="`after` of the page before")]
    older: Annotated[str | None, Field(description="`before` of the next page")]
    searched_since: Annotated[Moment | None, Field(description="From when on the text was searched, if not everything")]


class Detail(TypedDict):
    """A message of a job log."""

    id: int
    created_at: Moment
    level: DetailLevel
    task_id: str | None
    try_number: int | None
    message: str


class Details(TypedDict):
    """Messages of a job log, oldest first, and its state."""

    job_log: str
    status: ShownStatus
    active: bool
    updated_at: Moment
    details: list[Detail]
    last_id: Annotated[int, Field(description="`after` of the next question")]


class Activity(TypedDict):
    """What an open page asks again and again."""

    version: Annotated[str, Field(description="Changes whenever the list of job logs does")]
    active: Annotated[int, Field(description="Runs that are under way")]


class LastSuccess(TypedDict):
    """The last run that succeeded."""

    name: str
    completed_at: Moment


class Verdict(TypedDict):
    """Whether the sync works; the counts are of the last 24 hours."""

    level: Level
    headline: str
    sentence: str
    last_success: LastSuccess | None
    runs_expected: int
    runs_succeeded: int
    runs_failed: int
    runs_missed: int
    paused: bool | None
    next_run_at: Moment | None
    amber_at: Annotated[Moment | None, Field(description="When it will be amber if nothing succeeds before")]
    red_at: Moment | None
    as_of: Moment


class Cell(TypedDict):
    """An expected run."""

    at: Moment
    until: Moment
    outcome: str
    words: str
    job_log: str | None
    duration_s: float | None
    height: Annotated[int, Field(description="Taller is slower")]


class LatestLog(TypedDict):
    """One of the last job logs."""

    name: str
    status: ShownStatus
    started_at: Moment
    completed_at: Moment | None
    error_summary: str | None


class Panel(Verdict):
    """The verdict, the cells of the 24-hour strip and the last job logs."""

    cells: list[Cell]
    job_logs: list[LatestLog]
    may_read_open_orders: bool


class Freshness(TypedDict):
    """As of when the open orders are, and what became of the syncs since."""

    state: Literal["never_synced", "first_sync_running", "up_to_date", "last_sync_failed", "syncing"]
    level: Level
    data_as_of: Moment | None
    lines: int | None
    rejected: int | None
    published_by: Annotated[str | None, Field(description="Name of the job log whose data it is")]
    latest_sync: Annotated[str | None, Field(description="Name of the newest job log")]
    latest_status: ShownStatus | None
    latest_error: str | None
    paused: bool | None
    next_run_at: Moment | None


class OpenAmount(TypedDict):
    """What is open in one currency."""

    currency: str | None
    amount: Decimals | None
    lines: int
    lines_without_amount: int


class Totals(TypedDict):
    """Of all that the filter keeps, on every page."""

    orders: int
    lines: int
    overdue: int
    open_amounts: list[OpenAmount]


class OpenOrders(TypedDict):
    """A page of open orders."""

    freshness: Freshness
    totals: Totals
    open_orders: list[OpenOrder]
    previous: Annotated[str | None, Field(description="`before` of the page before")]
    next: Annotated[str | None, Field(description="`after` of the next page")]


class ChangedValue(TypedDict):
    """A value that a sync changed."""

    column: str
    before: Any
    after: Any


class Change(TypedDict):
    """An order line that a sync inserted, changed or closed."""

    id: int
    kind: Literal["new", "changed", "closed"]
    key: dict[str, Any]
    order: Annotated[dict[str, Any], Field(description="Its values after the sync; of a closed one the last")]
    values: Annotated[list[ChangedValue], Field(description="Of changed orders")]


class Changes(TypedDict):
    """What a sync changed."""

    sync: Annotated[str | None, Field(description="Name of its job log")]
    changes: list[Change]
    next: int | None


class RejectedOrder(TypedDict):
    """A row that broke the contract."""

    id: int
    reason: str
    row: Annotated[dict[str, Any], Field(description="As it was delivered")]
    occurrences: int
    first_seen_at: Moment
    last_seen_at: Moment
    first_sync: str | None
    last_sync: str | None


class RejectedOrders(TypedDict):
    """Rejected rows, newest first."""

    rejected: list[RejectedOrder]
    next: Annotated[int | None, Field(description="`before` of the next page")]

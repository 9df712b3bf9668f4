"""The settings, from environment variables that begin with `OPEN_ORDERS_`, validated once.

Values that somebody sets for a single run come from the trigger form instead (see `open_orders.sync_dag`). What
concerns one table alone has, for another table than `open_orders`, that table's name in its own variables:
`OPEN_PURCHASE_ORDERS_MAX_DROP_SHARE`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

# Not pydantic-settings: its import would double the time to parse a DAG file, and this is all we would use of it.
from pydantic import BaseModel, Field, ValidationError

from open_orders.errors import SettingsError

SQL_DIR = Path(__file__).resolve().parents[2] / "include" / "sql"
PREFIX = "OPEN_ORDERS_"
# The settings that somebody can change for a single run.
PARAMETERS = ("batch_size", "allow_empty", "max_drop_share")
# The settings that each synced table has of its own.
OF_A_TABLE = (*PARAMETERS, "source_sql")
OPEN_ORDERS_TABLE = "open_orders"


class Settings(BaseModel, frozen=True):
    """Everything that can be set, with its default; field `x_y` is the environment variable `OPEN_ORDERS_X_Y`."""

    batch_size: int = Field(10000, ge=1, le=1_000_000, description="Orders imported per batch")
    allow_empty: bool = Field(False, description="Publish even when the source has no orders at all")
    max_drop_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Refuse to publish when more than this share of the orders would disappear",
    )
    source_sql: Path = Field(SQL_DIR / "source" / "open_orders.sql", description="File with the source query, in T-SQL")
    source_lock_timeout_s: int = Field(
        15, ge=0, le=50, description="Seconds that the source query waits for a lock in the ERP"
    )
    clock_tolerance_s: int = Field(
        60, ge=1, le=86_400, description="Seconds by which SQL Server's clock may be wrong without a warning"
    )
    success_details_days: int = Field(
        30, ge=1, le=36_500, description="Days for which the messages of successful runs are kept"
    )
    failure_details_days: int = Field(
        180, ge=1, le=36_500, description="Days for which the messages of failed runs are kept"
    )
    job_logs_days: int = Field(
        365, ge=1, le=36_500, description="Days for which job logs are kept, and their messages at most"
    )
    rejected_days: int = Field(
        30, ge=1, le=36_500, description="Days for which rejected orders are kept after a sync last saw them"
    )
    airflow_history_days: int = Field(
        30, ge=1, le=36_500, description="Days for which Airflow keeps its own runs, tasks and their log files"
    )
    heartbeat_s: float = Field(10, ge=1, le=60, description="Seconds between two heartbeats of a running step")
    dead_after_s: int = Field(
        300, ge=60, le=86_400, description="Seconds without a heartbeat after which a job log counts as dead"
    )
    alert_after_failures: int = Field(
        1, ge=1, le=1000, description="Runs of a job that fail in a row before an alert is sent"
    )
    alert_after_s: int = Field(
        900, ge=60, le=604_800, description="Seconds without a success, although expected, after which an alert is sent"
    )


def variable(field: str, table: str = OPEN_ORDERS_TABLE) -> str:
    """Return the name of the environment variable that holds a setting, for the sync of a table."""
    return f"{f'{table}_'.upper() if field in OF_A_TABLE else PREFIX}{field.upper()}"


@cache
def load_settings(table: str = OPEN_ORDERS_TABLE) -> Settings:
    """Return this process's settings for the sync of a table, whose query is by default the file of its name.

    Raises SettingsError naming each variable, its value and what was expected.
    """
    names = {variable(field, table): field for field in Settings.model_fields}
    # An empty variable is how compose files write an unset one.
    given: dict[str, Any] = {field: os.environ[name] for name, field in names.items() if os.environ.get(name)}
    given.setdefault("source_sql", SQL_DIR / "source" / f"{table}.sql")
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = _describe(error, lambda field: variable(field, table))
        raise SettingsError(f"Bad setting in the environment: {problems}") from None


def read_parameters(given: Mapping[str, Any], settings: Settings) -> Settings:
    """Return the settings with a run's parameters in their place; raises SettingsError naming each bad one.

    Airflow checks them by the DAG's own ranges before that, when a run is triggered and when a task starts.
    """
    chosen = {name: given[name] for name in PARAMETERS if name in given}
    # Pydantic takes True for 1, which would mean: let everything disappear.
    mistaken = [name for name, value in chosen.items() if name != "allow_empty" and isinstance(value, bool)]
    if mistaken:
        raise _bad_parameters("; ".join(f"{name}={chosen[name]}: expected a number" for name in mistaken))
    try:
        return Settings.model_validate({**settings.model_dump(), **chosen})
    except ValidationError as error:
        raise _bad_parameters(_describe(error, str)) from None


def _bad_parameters(problems: str) -> SettingsError:
    return SettingsError(f"Bad parameter of this run: {problems}. Trigger a run with a better one")


def _describe(error: ValidationError, shown: Callable[[str], str]) -> str:
    return "; ".join(
        f"{shown(str(problem['loc'][0]))}={problem['input']!r}: {problem['msg']}" for problem in error.errors()
    )

from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import create_autospec

import psycopg
import pytest

from open_orders.contract import Column, Contract, Text
from open_orders.execution import Execution, RunState
from open_orders.source import Clocks
from open_orders.suspicions import Usual, future_rows, unusual_duration
from open_orders.target import Target


def execution(clear_number: int = 0) -> Execution:
    return Execution(
        dag_id="sync_open_orders",
        run_id="it",
        trigger="scheduled",
        triggered_by=None,
        clear_number=clear_number,
        run_started_at=None,
        step="publish",
        attempt=1,
        attempts=3,
        run_state=lambda _dag_id, _run_id: RunState.ACTIVE,
    )


@pytest.mark.parametrize(
    ("duration_s", "usual_s", "how"),
    [
        (30.1, 10.0, "longer"),
        (30.0, 10.0, None),
        (12.1, 2.0, "longer"),
        (11.9, 2.0, None),
        (10.0, 30.1, "shorter"),
        (10.0, 30.0, None),
        (2.0, 11.9, None),
        (60.0, 0.0, "longer"),
        (60.0, None, None),
    ],
)
def test_duration_is_unusual_beyond_three_times_and_ten_seconds(
    duration_s: float, usual_s: float | None, how: str | None
) -> None:
    told = unusual_duration(Usual(duration_s, 5, usual_s, 20, 100), execution())
    assert [how in sentence for sentence in told if how] == ([True] if how else [])
    assert len(told) == (how is not None)


def test_duration_is_not_judged_by_too_few_runs_nor_in_a_run_that_was_cleared() -> None:
    assert unusual_duration(Usual(900, 5, 1, 20, 100), execution()) != []
    assert unusual_duration(Usual(900, 4, 1, 20, 100), execution()) == []
    assert unusual_duration(Usual(900, 5, 1, 20, 100), execution(clear_number=1)) == []


def test_contract_that_names_no_time_of_change_has_no_rows_from_the_future() -> None:
    contract = Contract("t", "row", (Column("v", Text(250), "a value", nullable=False, key=True),))
    clocks = Clocks(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2), 0.0)
    assert future_rows(Target(create_autospec(psycopg.Connection), contract, 1), clocks, 60, None) == []

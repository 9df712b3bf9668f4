"""The SQL Server refuses, hangs up, stalls, errs or forgets rows: in every attempt, or in the first one only."""

from __future__ import annotations

import json

import pytest

from open_orders.job_status import JobStatus
from tests.faults.cell import Cell

CLOSED = "fetch: SQL Server closed the connection"
FAULTS = {
    "refuses logins": ({"refuse_logins": True}, "connect: SQL Server .* refused the login 'sa'"),
    "hangs up before the first row": ({"drop_after_rows": 0}, CLOSED),
    # Where the driver gathers columns, the rows of the batch that was cut short are not counted: a third of all orders.
    "hangs up at a row's end": ({"drop_after_rows": 450}, f"{CLOSED} after [1-4]\\d\\d rows"),
    "hangs up inside a row": ({"drop_after_bytes": 60_007}, CLOSED),
    "hangs up with a reset": ({"drop_after_rows": 450, "reset": True}, CLOSED),
    "stalls before the first row": ({"stall_before_rows": True}, "fetch: SQL Server stopped answering"),
    "stalls among the rows": ({"stall_after_rows": 450}, "fetch: SQL Server stopped answering"),
    "reports a deadlock among the rows": (
        {"error_after_rows": [450, 1205, 13, 1, "Rerun the transaction."]},
        "fetch: The ERP's own work won a deadlock against the source query",
    ),
    "forgets rows": ({"omit_after_rows": 450}, r"fetch: SQL Server counts \d+ rows but 450 arrived"),
    "is empty": ({"zero_rows": True}, "publish: The source returned no orders; open_orders keeps its"),
}
# What another attempt may mend; an empty source is refused at once.
PASSING = [name for name in FAULTS if name != "is empty"]


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.fault("The source misbehaves in every attempt")
def test_run_fails_and_says_why(cell: Cell, name: str) -> None:
    faults, summary = FAULTS[name]
    cell.plant.misbehave(json.dumps(faults))
    cell.plant.trigger(cell.run_id)
    assert cell.plant.await_run_end(cell.run_id) == "failed"
    cell.plant.misbehave(None)
    cell.check(JobStatus.ERROR, summary)


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.fault("The source misbehaves in the first attempt")
def test_next_attempt_succeeds(cell: Cell, name: str) -> None:
    faults, _ = FAULTS[name]
    cell.plant.misbehave(json.dumps(faults))
    cell.plant.trigger(cell.run_id)
    cell.await_message("Attempt 1 of 3 failed")
    cell.plant.misbehave(None)
    cell.check(JobStatus.SUCCESS)
    assert "Attempt 2 of 3" in cell.plant.messages_of(cell.run_id)

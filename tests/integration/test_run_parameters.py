"""The parameters of a run, also those that no form of Airflow has looked at."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.integration.erp import STEPS, Erp, Sync, orders_of
from tests.integration.outcome import Database, job_log, messages, published, warnings


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"batch_size": 0}, "batch_size=0: Input should be greater than or equal to 1"),
        ({"batch_size": 2_000_000}, "batch_size=2000000: Input should be less than or equal to 1000000"),
        ({"batch_size": "many"}, "batch_size='many': Input should be a valid integer"),
        ({"allow_empty": "perhaps"}, "allow_empty='perhaps': Input should be a valid boolean"),
        ({"max_drop_share": 50}, "max_drop_share=50: Input should be less than or equal to 1"),
        ({"max_drop_share": None}, "max_drop_share=None: Input should be a valid number"),
        ({"max_drop_share": True}, "max_drop_share=True: expected a number"),
        ({"batch_size": -1, "max_drop_share": float("nan")}, "batch_size=-1: .*; max_drop_share=nan: "),
    ],
)
def test_bad_parameter_ends_the_run_before_it_touches_anything_and_is_named_in_the_job_log(
    sync: Sync, erp: Erp, orders: Database, params: dict[str, Any], says: str
) -> None:
    with pytest.raises(AirflowFailException, match=f"Bad parameter of this run: {says}"):
        sync.run(run_id="it", params=params)
    log = job_log(orders, "it")
    assert (log["status"], log["step"]) == (3, "connect")
    assert log["error_summary"].startswith("connect: Bad parameter of this run: ")
    assert not erp.server.sessions


@pytest.mark.parametrize("step", ["fetch", "publish"])
def test_bad_parameter_is_refused_by_each_step_that_uses_it(sync: Sync, erp: Erp, orders: Database, step: str) -> None:
    erp.rows = orders_of(3)
    at = STEPS.index(step)
    sync.run(STEPS[:at], run_id="it")
    with pytest.raises(AirflowFailException, match="Bad parameter of this run: max_drop_share=2"):
        sync.run(STEPS[at:], run_id="it", params={"max_drop_share": 2})
    assert job_log(orders, "it")["error_summary"].startswith(f"{step}: Bad parameter of this run")
    assert published(orders) == []


def test_misspelt_parameter_is_told_with_those_that_there_are(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = orders_of(3)
    run = sync.run(params={"allow_emtpy": True, "max_drop_share": 1})
    assert warnings(orders, run.run_id) == [
        "Parameters without effect: allow_emtpy. The sync knows batch_size, allow_empty, max_drop_share"
    ]
    assert "Parameters of this run: max_drop_share=1.0 (manual, triggered by admin)" in messages(orders, run.run_id)


def test_cleared_run_has_its_parameters_again_and_names_who_set_them(sync: Sync, erp: Erp, orders: Database) -> None:
    allowed = {"allow_empty": True}
    run = sync.run(params=allowed, triggered_by="ayse")
    sync.run(run_id=run.run_id, clear_number=1, params=allowed, triggered_by="ayse")
    told = messages(orders, run.run_id)
    assert told.count("Parameters of this run: allow_empty=True (manual, triggered by ayse)") == 2
    assert told.count("Published although the source returned no orders: allow_empty was set by ayse") == 2

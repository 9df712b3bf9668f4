"""What a publish refuses, what a person may allow for one run, and that it is told who did."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from open_orders.target import Target
from tests.integration.erp import STEPS, Erp, Sync, order, orders_of
from tests.integration.outcome import Database, counts, messages, published, warnings
from tests.integration.postgres_versions import every_version_in_all


@every_version_in_all
def test_allowing_an_empty_source_is_told_with_who_did_it_and_holds_for_one_run(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = orders_of(3)
    sync.run()
    erp.rows = []
    allowed = sync.run(params={"allow_empty": True})
    assert published(orders) == []
    assert warnings(orders, allowed.run_id) == [
        "Published although the source returned no orders: allow_empty was set by admin"
    ]
    says = "keeps its 0 orders. If there are none, trigger a run with allow_empty; if that is usual, set OPEN_ORDERS"
    with pytest.raises(AirflowFailException, match=says):
        sync.run(run_id="next")
    erp.rows = orders_of(3)
    assert warnings(orders, sync.run().run_id) == []
    assert len(published(orders)) == 3


def test_setting_that_allows_an_empty_source_is_named_instead_of_a_person(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    sync.settings = sync.settings.model_copy(update={"allow_empty": True})
    run = sync.run(params={"allow_empty": True})
    assert warnings(orders, run.run_id) == [
        "Published although the source returned no orders: OPEN_ORDERS_ALLOW_EMPTY is set"
    ]
    assert not any(message.startswith("Parameters of this run") for message in messages(orders, run.run_id))


@every_version_in_all
def test_drop_that_a_person_allowed_is_told_with_the_usual_limit_and_who_did_it(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = orders_of(4)
    sync.run()
    erp.rows = orders_of(1)
    run = sync.run(params={"max_drop_share": 0.8}, triggered_by=None, trigger="backfill")
    assert published(orders) == ["SO000"]
    assert warnings(orders, run.run_id) == [
        "Published although 3 orders of 4 disappeared, 75% (usual limit 50%): max_drop_share=0.8 was set for this run "
        "(backfill)"
    ]


def test_override_that_was_not_needed_is_no_warning(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = orders_of(4)
    sync.run()
    erp.rows = orders_of(2)
    run = sync.run(params={"max_drop_share": 0.9, "allow_empty": True})
    assert warnings(orders, run.run_id) == []
    said = "Parameters of this run: allow_empty=True, max_drop_share=0.9 (manual, triggered by admin)"
    assert said in messages(orders, run.run_id)


def test_stricter_limit_of_a_run_refuses_what_the_usual_one_lets_pass(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = orders_of(4)
    sync.run()
    erp.rows = orders_of(3)
    with pytest.raises(AirflowFailException, match="1 order of 4 would disappear, 25% .limit 0%.*higher max_drop"):
        sync.run(params={"max_drop_share": 0})


@pytest.mark.parametrize(("left", "refused"), [(71, False), (70, True)])
def test_limit_is_exact_where_its_product_is_not(
    sync: Sync, erp: Erp, orders: Database, left: int, refused: bool
) -> None:
    assert 0.29 * 100 < 29
    erp.rows = orders_of(100)
    sync.run()
    erp.rows = orders_of(left)
    if refused:
        with pytest.raises(AirflowFailException, match="30 orders of 100 would disappear, 30% .limit 29%."):
            sync.run(params={"max_drop_share": 0.29})
    else:
        sync.run(params={"max_drop_share": 0.29})
    assert len(published(orders)) == (100 if refused else left)


def test_refused_share_that_is_hardly_beyond_the_limit_does_not_look_like_it(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = orders_of(250)
    sync.run()
    erp.rows = orders_of(124)
    with pytest.raises(AirflowFailException, match=r"126 orders of 250 would disappear, 50.4% \(limit 50%\)"):
        sync.run()


def test_orders_whose_rows_are_rejected_now_count_as_dropped(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = orders_of(4)
    sync.run()
    erp.rows = [*orders_of(1), *(row | {"customer_code": None} for row in orders_of(4)[1:])]
    says = "3 orders of 4 would disappear, 75% .*the source returned 4 orders, of which 3 were rejected"
    with pytest.raises(AirflowFailException, match=says):
        sync.run(run_id="it")
    assert len(published(orders)) == 4
    assert "3 of 4 rows were rejected, 75%; the most frequent reason: customer_code is missing" in warnings(
        orders, "it"
    )


def test_many_new_orders_at_once_are_welcome(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = orders_of(2)
    sync.run()
    erp.rows = orders_of(400)
    run = sync.run()
    assert warnings(orders, run.run_id) == []
    assert counts(orders, run.run_id)["inserted"] == 398


@every_version_in_all
def test_source_that_shrinks_below_the_limit_in_each_run_is_told_once(sync: Sync, erp: Erp, orders: Database) -> None:
    told = []
    for left in (100, 70, 45, 30, 20):
        erp.rows = orders_of(left)
        told.append(warnings(orders, sync.run().run_id))
    assert told == [
        [],
        [],
        [
            "open_orders went from 100 to 45 orders within 3 runs, none of which passed the limit of 50%: check the "
            "source if so many were not closed"
        ],
        [],
        [],
    ]


def test_drop_that_was_allowed_is_not_told_again_by_the_runs_after_it(sync: Sync, erp: Erp, orders: Database) -> None:
    erp.rows = orders_of(100)
    sync.run()
    erp.rows = orders_of(10)
    allowed = sync.run(params={"max_drop_share": 1})
    assert len(warnings(orders, allowed.run_id)) == 1
    erp.rows = orders_of(9)
    assert warnings(orders, sync.run().run_id) == []


def test_publish_is_taken_back_when_afterwards_there_are_not_as_many_rows_as_in_staging(
    sync: Sync, erp: Erp, orders: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if repeated keys had not been found, of which an update would take any."""
    erp.rows = [order("SO1", warehouse="A"), order("SO2")]
    sync.run()
    monkeypatch.setattr(Target, "mark_duplicates", lambda _target: None)
    erp.rows = [order("SO1", warehouse="B"), order("SO1", warehouse="C"), order("SO2")]
    with pytest.raises(AirflowFailException, match="3 orders in staging, but 2 would be published"):
        sync.run()
    assert orders.execute("SELECT warehouse FROM open_orders WHERE order_number = 'SO1'").fetchall() == [("A",)]


def test_first_publish_is_taken_back_when_staging_holds_other_rows_than_were_imported(
    sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = orders_of(3)
    run = sync.run(STEPS[:4])
    orders.execute("DELETE FROM open_orders_staging WHERE order_number = 'SO001'")
    with pytest.raises(AirflowFailException, match="3 orders in staging, but 2 would be published"):
        sync.run(STEPS[4:], run_id=run.run_id)
    assert published(orders) == []

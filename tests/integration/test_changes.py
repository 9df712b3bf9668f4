"""What a publish writes down about what it changed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException

from open_orders import target
from open_orders.contract import OPEN_ORDERS
from tests.integration.erp import Erp, Sync, order
from tests.integration.postgres_versions import every_version_in_all

Orders = psycopg.Connection[Any]


def changes(orders: Orders, run_id: str) -> list[tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]]:
    """Return kind, order number, before and after of a run's changes, in the order they were written."""
    return orders.execute(
        """SELECT kind, key ->> 'order_number', before, after FROM open_order_changes
           WHERE job_log_id = (SELECT id FROM job_logs WHERE run_id = %s) ORDER BY id""",
        [run_id],
    ).fetchall()


@pytest.mark.parametrize("few", [target.FEW_DIFFERENCES, 1], ids=["few", "many"])
@every_version_in_all
def test_sync_records_new_changed_and_closed_orders_with_old_and_new_values(
    sync: Sync, erp: Erp, orders: Orders, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(target, "FEW_DIFFERENCES", few)
    erp.rows = [order("SO1"), order("SO2"), order("SO3")]
    sync.run()
    erp.rows = [
        order("SO1"),
        order("SO2", quantity_open=Decimal("39.5000"), due_date=None, warehouse="W2"),
        order("SO4"),
    ]
    run = sync.run()
    found = {number: (kind, before, after) for kind, number, before, after in changes(orders, run.run_id)}
    assert {number: kind for number, (kind, _, _) in found.items()} == {
        "SO2": "changed",
        "SO3": "closed",
        "SO4": "new",
    }
    _, before, after = found["SO2"]
    assert before == {"quantity_open": 40.0, "due_date": "2026-11-20", "warehouse": "W1"}
    assert after is not None
    assert set(after) == set(OPEN_ORDERS.names)
    assert (after["quantity_open"], after["due_date"], after["warehouse"]) == (39.5, None, "W2")
    assert (found["SO4"][1], set(found["SO4"][2] or {})) == (None, set(OPEN_ORDERS.names))
    assert (set(found["SO3"][1] or {}), found["SO3"][2]) == (set(OPEN_ORDERS.names), None)


def test_publish_into_an_empty_table_records_no_change_for_each_row(sync: Sync, erp: Erp, orders: Orders) -> None:
    erp.rows = [order(f"SO{number}") for number in range(20)]
    assert changes(orders, sync.run().run_id) == []


def test_sync_without_changes_records_none(sync: Sync, erp: Erp, orders: Orders) -> None:
    erp.rows = [order("SO1", due_date=date(2026, 11, 20)), order("SO2", item_code=None)]
    sync.run()
    assert changes(orders, sync.run().run_id) == []


def test_refused_publish_records_nothing(sync: Sync, erp: Erp, orders: Orders) -> None:
    erp.rows = [order(f"SO{number}") for number in range(10)]
    sync.run()
    erp.rows = [order("SO1", warehouse="W9")]
    with pytest.raises(AirflowFailException, match="9 orders of 10 would disappear"):
        sync.run()
    assert orders.execute("SELECT count(*) FROM open_order_changes").fetchone() == (0,)


def test_closing_every_order_is_recorded(sync: Sync, erp: Erp, orders: Orders) -> None:
    erp.rows = [order("SO1"), order("SO2")]
    sync.run()
    erp.rows = []
    run = sync.run(params={"allow_empty": True})
    assert [(kind, number) for kind, number, _, _ in changes(orders, run.run_id)] == [
        ("closed", "SO1"),
        ("closed", "SO2"),
    ]


def test_changes_older_than_a_week_are_forgotten(sync: Sync, erp: Erp, orders: Orders) -> None:
    erp.rows = [order("SO1")]
    sync.run()
    runs = []
    for number in (2, 3):
        erp.rows = [*erp.rows, order(f"SO{number}")]
        runs.append(sync.run().run_id)
    orders.execute(
        "UPDATE open_order_changes SET created_at = now() - interval '8 days' WHERE key ->> 'order_number' = 'SO2'"
    )
    sync.run()
    assert [len(changes(orders, run_id)) for run_id in runs] == [0, 1]


def test_oldest_of_too_many_changes_are_forgotten_but_never_those_of_the_last_sync(
    sync: Sync, erp: Erp, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "CHANGES_KEPT_ROWS", 3)
    erp.rows = [order("SO0")]
    sync.run()
    erp.rows = [order(f"SO{number}") for number in range(3)]
    first = sync.run()
    erp.rows = [order(f"SO{number}") for number in range(7)]
    second = sync.run()
    assert [len(changes(orders, run.run_id)) for run in (first, second)] == [0, 4]


def test_only_a_part_of_a_mass_change_is_recorded_but_all_of_it_is_published_and_counted(
    sync: Sync, erp: Erp, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "CHANGES_PER_SYNC", 2)
    erp.rows = [order(f"SO{number}") for number in range(10)]
    sync.run()
    erp.rows = [order(f"SO{number}", warehouse="W9") for number in range(5)]
    run = sync.run()
    assert len(changes(orders, run.run_id)) == 2
    log = orders.execute("SELECT updated, deleted, total_after FROM job_logs WHERE run_id = %s", [run.run_id])
    assert log.fetchone() == (5, 5, 5)
    assert orders.execute("SELECT count(*) FROM open_orders WHERE warehouse = 'W9'").fetchone() == (5,)

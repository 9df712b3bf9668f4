from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.integration.erp import STEPS, Erp, Sync, order

SIZE = 40
PUBLISHES, PUBLISHES_IN_ALL = 60, 200


def test_reader_polling_all_the_time_sees_only_whole_snapshots(
    sync: Sync, erp: Erp, orders: psycopg.Connection[Any], orders_dsn: str, request: pytest.FixtureRequest
) -> None:
    """Each snapshot has its own number in every row, and its own set of keys: a mixture of two would show."""
    publishes = PUBLISHES_IN_ALL if request.config.getoption("--all") else PUBLISHES
    seen: list[tuple[Any, ...]] = []
    done = threading.Event()

    def poll() -> None:
        with psycopg.connect(orders_dsn, autocommit=True, options="-c lock_timeout=1s") as connection:
            while not done.is_set():
                row = connection.execute(
                    """SELECT count(*), count(DISTINCT quantity_open), min(quantity_open), min(line_number)
                       FROM open_orders"""
                ).fetchone()
                assert row is not None
                seen.append(row)

    def deliver(number: int) -> None:
        erp.rows = [order(f"SO{index}", line=number % 3 + 1, quantity_open=Decimal(number)) for index in range(SIZE)]

    deliver(0)
    sync.run()
    orders.execute("DELETE FROM job_log_details")
    thread = threading.Thread(target=poll)
    thread.start()
    try:
        for number in range(1, publishes + 1):
            _republish(sync, orders, number)
        deliver(publishes + 1)
        sync.run(STEPS, params={"max_drop_share": 1.0})
    finally:
        done.set()
        thread.join()
    assert len(seen) > publishes
    wrong = [row for row in seen if row[0] != SIZE or row[1] != 1 or row[3] != int(row[2]) % 3 + 1]
    assert wrong == []
    assert len({row[2] for row in seen}) > publishes / 10


def _republish(sync: Sync, orders: psycopg.Connection[Any], number: int) -> None:
    """Publish a staging that differs from the last in every row, as a cleared run would."""
    orders.execute(
        "UPDATE open_orders_staging SET line_number = %s, quantity_open = %s", [number % 3 + 1, Decimal(number)]
    )
    sync.run(STEPS[4:], run_id="manual__1", clear_number=number, params={"max_drop_share": 1.0})

"""A run that takes much longer or shorter than usual says so in its job log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bench.job_history import load
from open_orders import suspicions
from open_orders.statements import load_statement
from tests.integration.erp import STEPS, Erp, Sync, orders_of
from tests.integration.outcome import Database, warnings
from tests.integration.postgres_versions import every_version_in_all


def add_successes(database: Database, durations_s: list[float], **values: Any) -> None:
    """Add successes of the sync, an hour ago and each a minute after the one before."""
    row = {"fetched": 3, "total_after": 3, "clear_number": 0, "job_name": "sync_open_orders"} | values
    database.cursor().executemany(
        """INSERT INTO job_logs (name, job_name, dag_id, run_id, trigger, status, started_at, completed_at,
               heartbeat_at, created_at, fetched, total_after, clear_number)
           SELECT 'earlier ' || run, %(job_name)s, %(job_name)s, 'earlier ' || run, 'scheduled', 2, started_at,
               started_at + %(duration_s)s * interval '1 second', started_at, started_at, %(fetched)s, %(total_after)s,
               %(clear_number)s
           FROM (SELECT gen_random_uuid() AS run, now() - (60 - %(number)s) * interval '1 minute' AS started_at)""",
        [row | {"duration_s": duration, "number": number} for number, duration in enumerate(durations_s)],
    )


def run_for(sync: Sync, database: Database, seconds: float, **execution: Any) -> str:
    """Run a sync that began so many seconds earlier than it did; return its run id."""
    run = sync.run(STEPS[:4], **execution)
    database.execute(
        "UPDATE job_logs SET started_at = started_at - %s * interval '1 second' WHERE run_id = %s",
        [seconds, run.run_id],
    )
    sync.run(STEPS[4:], run_id=run.run_id, **execution)
    return run.run_id


@every_version_in_all
@pytest.mark.parametrize(
    ("usual_s", "seconds", "says"),
    [
        (4, 95, r"This run took (9|1\d)\d\.\d s, much longer than usual: 4\.0 s, the median of the last 5 successes"),
        (900, 0, r"This run took \d{1,3}\.\d s, much shorter than usual: 900\.0 s, the median of the last 5"),
        (900, 1000, None),
        (9000, 20_000, None),
    ],
)
def test_run_much_longer_or_shorter_than_usual_is_told(
    sync: Sync, erp: Erp, orders: Database, usual_s: float, seconds: float, says: str | None
) -> None:
    add_successes(orders, [usual_s - 1, usual_s, usual_s, usual_s + 1, 100_000])
    erp.rows = orders_of(3)
    told = warnings(orders, run_for(sync, orders, seconds))
    assert len(told) == (says is not None)
    assert says is None or re.match(says, told[0])


@pytest.mark.parametrize(
    ("durations_s", "values"),
    [
        ([1] * 4, {}),
        ([1] * 9, {"fetched": 1000}),
        ([1] * 9, {"clear_number": 1}),
        ([1] * 9, {"job_name": "another_job"}),
        ([1] * 30 + [200] * 20, {}),
    ],
    ids=["too few", "of another size", "cleared", "of another job", "as slow lately"],
)
def test_run_is_compared_only_with_enough_successes_like_it(
    sync: Sync, erp: Erp, orders: Database, durations_s: list[float], values: dict[str, Any]
) -> None:
    add_successes(orders, durations_s, **values)
    erp.rows = orders_of(3)
    assert warnings(orders, run_for(sync, orders, 300)) == []


def test_cleared_run_is_not_compared(sync: Sync, erp: Erp, orders: Database) -> None:
    add_successes(orders, [1] * 9)
    erp.rows = orders_of(3)
    run = sync.run()
    sync.run(STEPS[:4], run_id=run.run_id, clear_number=1)
    orders.execute("UPDATE job_logs SET started_at = started_at - interval '1 hour' WHERE run_id = %s", [run.run_id])
    sync.run(STEPS[4:], run_id=run.run_id, clear_number=1)
    assert warnings(orders, run.run_id) == []


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes."""
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


@every_version_in_all
def test_what_is_usual_is_found_by_index_among_many_job_logs(orders: Database) -> None:
    orders.execute(load("insert_job_logs"), {"logs": 50_000})
    orders.execute("ANALYZE job_logs")
    statement = load_statement("job_log/select_usual").as_string(orders)
    # Nearly all logs are of the first job, whose last ones any index on the time finds; hardly any of the second.
    for job_name, index in [
        ("sync_open_orders", "created_at_id_idx"),
        ("archive_orders", "job_name_status_created_at"),
    ]:
        usual = suspicions.read_usual(orders, 1, job_name, 10_000)
        assert (usual.runs, usual.compared) == (suspicions.RECENT_RUNS, suspicions.RECENT_RUNS)
        values = {"job_log_id": 1, "job_name": job_name, "runs": suspicions.RECENT_RUNS, "fetched": 10_000}
        row = orders.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values).fetchone()
        assert row is not None
        nodes = list(walk(row[0][0]["Plan"]))
        assert any(index in node.get("Index Name", "") for node in nodes), job_name
        assert not {"Seq Scan", "Sort"} & {node["Node Type"] for node in nodes}, job_name
        assert nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"] < 200, job_name

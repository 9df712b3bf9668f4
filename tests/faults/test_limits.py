"""Time limits of Airflow and of the database, locks that others hold, and a disk that is full."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from open_orders.job_status import JobStatus
from tests.faults.cell import Cell
from tests.faults.plant import Plant
from tests.faults.points import EARLY, POINTS, Point

BY_NAME = {point.name: point for point in POINTS}


@pytest.mark.parametrize("point", EARLY, ids=str)
@pytest.mark.fault("The run exceeds its time limit")
def test_run_that_takes_too_long_ends_as_error(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    # As though it had begun five minutes ago.
    cell.plant.execute_metadata(
        "UPDATE dag_run SET start_date = start_date - interval '5 minutes' WHERE run_id = %s", cell.run_id
    )
    assert cell.plant.await_run_end(cell.run_id) == "failed"
    cell.let_go_when_the_task_is_gone()
    cell.check(JobStatus.ERROR, f"{point.step}: the run took longer than its time limit and was stopped")


@pytest.mark.parametrize("name", ["import, after batch 1 of 3", "publish, among the rows", "publish, at its commit"])
@pytest.mark.fault("The task exceeds its time limit")
def test_task_that_takes_too_long_is_stopped_and_repeated(cell: Cell, name: str) -> None:
    cell.run_to(BY_NAME[name])
    cell.await_message("The step took longer than its time limit and was stopped", 120)
    cell.let_go()
    cell.check(JobStatus.SUCCESS)


CANCELLED = "The orders database cancelled the statement: it took longer than the time limit"


CANCELLED_AT = {
    # The database cancels what would write the reason too.
    "import, beginning": "import_batches: the task ended and could not say why; its log in Airflow may",
    "fetch, before its commit": f"fetch: {CANCELLED}",
    "publish, among the rows": f"publish: {CANCELLED}",
    "publish, before the success is written": f"publish: {CANCELLED}",
}


@pytest.mark.parametrize("name", CANCELLED_AT)
@pytest.mark.fault("A statement exceeds the database's time limit")
def test_cancelled_statement_fails_the_run(cell: Cell, name: str) -> None:
    with _database_setting(cell.plant, "statement_timeout", "2s"):
        cell.run_to(BY_NAME[name])
        assert cell.plant.await_run_end(cell.run_id) == "failed"
    cell.let_go()
    cell.check(JobStatus.ERROR, CANCELLED_AT[name])


@pytest.mark.parametrize("table", ["open_orders", "open_orders_staging", "open_orders_landing", "rejected_orders"])
@pytest.mark.fault("Somebody else keeps a table locked")
def test_locked_table_fails_the_run_and_holds_up_no_reader(cell: Cell, table: str) -> None:
    with _lock(cell.plant, table):
        cell.plant.trigger(cell.run_id)
        assert cell.plant.await_run_end(cell.run_id, 240) == "failed"
    cell.check(JobStatus.ERROR, "The orders database kept a table locked for too long: another session holds it")


@pytest.mark.fault("Somebody else keeps a table locked for a while")
def test_run_goes_on_when_the_lock_is_given_back(cell: Cell) -> None:
    with _lock(cell.plant, "open_orders"):
        cell.plant.trigger(cell.run_id)
        cell.await_message("kept a table locked for too long")
    cell.check(JobStatus.SUCCESS)


# A file system that is really full needs a mount. CI runs as root, so there it is never skipped; an error raised by a
# trigger instead would prove less.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("table", ["open_orders_landing", "open_orders_staging", "open_orders"])
@pytest.mark.fault("The disk of the orders database is full")
def test_full_disk_fails_the_run(cell: Cell, table: str, tmp_path: Path) -> None:
    cell.plant.reprice_all_orders()
    with _small_disk(cell.plant, table, tmp_path) as fill:
        fill()
        cell.plant.trigger(cell.run_id)
        assert cell.plant.await_run_end(cell.run_id) == "failed"
    cell.check(JobStatus.ERROR, "The disk of the orders database is full")


@contextmanager
def _database_setting(plant: Plant, name: str, value: str) -> Iterator[None]:
    plant.execute(f"ALTER DATABASE orders SET {name} = '{value}'")
    try:
        yield
    finally:
        plant.execute(f"ALTER DATABASE orders RESET {name}")


@contextmanager
def _lock(plant: Plant, table: str) -> Iterator[None]:
    """Hold a lock that keeps writers out and lets readers in, as a session of somebody else's."""
    with psycopg.connect(plant.orders_dsn, application_name="somebody else") as connection:
        connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        yield


@contextmanager
def _small_disk(plant: Plant, table: str, directory: Path) -> Iterator[Callable[[], None]]:
    """Move a table to a file system of its own of a few megabytes; yields what fills it."""
    disk, space = directory / "disk", directory / "disk" / "space"
    filler = disk / "filler"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)

    def fill() -> None:
        # Not even a hole that an earlier version of a row left is free.
        plant.execute(f"VACUUM FULL {table}")
        with filler.open("wb") as file:
            file.write(b"\0" * shutil.disk_usage(disk).free)

    try:
        space.mkdir()
        owner = plant.orders_server.data_dir.stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        plant.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        plant.execute(f"ALTER TABLE {table} SET TABLESPACE small")
        yield fill
    finally:
        filler.unlink(missing_ok=True)
        plant.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default")
        plant.execute("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", disk], check=True)

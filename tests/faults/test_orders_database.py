"""The orders database dies, and takes its unlogged tables along; or is away for longer than the retries last."""

from __future__ import annotations

import pytest

from open_orders.job_status import JobStatus
from tests.faults.cell import Cell
from tests.faults.points import EARLY, POINTS, Point


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.fault("The orders database stops at once and starts again")
def test_run_that_lost_its_landing_fails_and_any_other_is_repeated(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    cell.plant.orders_server.stop("immediate")
    cell.plant.orders_server.start()
    cell.let_go()
    if point.committed or point.step in ("connect", "fetch"):
        cell.check(JobStatus.SUCCESS)
        return
    noticed_in = "publish" if point.step == "publish" else "import_batches"
    cell.check(JobStatus.ERROR, f"{noticed_in}: This run fetched .* landing holds 0 of them")


@pytest.mark.parametrize("point", EARLY, ids=str)
@pytest.mark.fault("The orders database is away for longer than all retries")
def test_log_of_a_run_that_could_not_write_it_reads_as_interrupted_and_is_closed(cell: Cell, point: Point) -> None:
    cell.run_to(point)
    cell.plant.orders_server.stop("immediate")
    assert cell.plant.await_run_end(cell.run_id) == "failed"
    cell.plant.orders_server.start()
    cell.let_go()
    if point == EARLY[-1]:
        cell.await_ended_on_the_pages()
    cell.check(summary="interrupted, no sign of life since|the task ended and could not say why")

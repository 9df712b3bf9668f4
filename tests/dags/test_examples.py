from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from open_orders import contracts

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_second_sync_differs_from_the_first_in_schedule_and_table_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    example = EXAMPLES / "open_purchase_orders"
    monkeypatch.setattr(
        contracts, "__path__", [*contracts.__path__, str(example / "plugins" / "open_orders" / "contracts")]
    )
    bag = DagBag(example / "dags")
    assert bag.import_errors == {}
    [dag] = bag.dags.values()
    first = DagBag(EXAMPLES.parent / "dags").dags["sync_open_orders"]
    assert (dag.dag_id, dag.timetable.expression) == ("sync_open_purchase_orders", "*/15 * * * *")
    assert [task.task_id for task in dag.topological_sort()] == [task.task_id for task in first.topological_sort()]
    assert [outlet.name for outlet in dag.get_task("publish").outlets] == ["open_purchase_orders"]
    assert (dag.max_active_runs, dag.catchup, dag.dagrun_timeout) == (1, False, first.dagrun_timeout)
    assert dag.has_on_failure_callback
    assert dag.has_on_success_callback
    assert dag.params.get_param("batch_size").description.startswith("Purchase orders imported per batch")


def test_job_that_logs_itself_closes_its_log_in_the_callbacks_too() -> None:
    bag = DagBag(EXAMPLES / "count_overdue_orders" / "dags")
    assert bag.import_errors == {}
    [dag] = bag.dags.values()
    assert dag.dag_id == "count_overdue_orders"
    assert dag.has_on_failure_callback
    assert dag.has_on_success_callback


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*/dags/*.py")), ids=lambda file: file.stem)
def test_example_is_named_as_its_dag_and_documented(file: Path) -> None:
    text = file.read_text()
    assert f"def {file.stem}() -> None:" in text
    for heading in ("**What it does.**", "**When it fails**", "**How to re-run it.**"):
        assert heading in text
    assert text.split('"""')[2].count("\n") <= 45


def test_the_page_on_a_second_job_shows_the_examples_as_they_are() -> None:
    page = (EXAMPLES.parent / "docs" / "second_job.md").read_text()
    sync = (EXAMPLES / "open_purchase_orders" / "dags" / "sync_open_purchase_orders.py").read_text()
    for line in filter(None, sync.split('"""')[2].splitlines()):
        assert line in page
    # The queries for other ERPs have a page of their own, docs/fit.md.
    for file in (
        file for file in EXAMPLES.rglob("*") if file.suffix in (".py", ".sql") and file.parent.name != "queries"
    ):
        assert str(file.relative_to(EXAMPLES.parent)) in page or file.name in page

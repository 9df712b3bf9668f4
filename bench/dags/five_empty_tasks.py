"""Five tasks that do nothing, one after the other: what Airflow alone takes."""

from datetime import UTC, datetime

from airflow.sdk import dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1)
def five_empty_tasks() -> None:
    """Wire the five tasks."""

    @task
    def first() -> None: ...

    @task
    def second() -> None: ...

    @task
    def third() -> None: ...

    @task
    def fourth() -> None: ...

    @task
    def fifth() -> None: ...

    first() >> second() >> third() >> fourth() >> fifth()


five_empty_tasks()

from __future__ import annotations


def test_executor_of_a_distributed_deployment_fits_the_locked_celery() -> None:
    from airflow.providers.celery.executors.celery_executor import CeleryExecutor

    assert "execute_workload" in CeleryExecutor().celery_app.tasks

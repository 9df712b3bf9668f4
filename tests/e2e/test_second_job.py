"""The examples of docs/second_job.md in a checkout of their own: real Airflow processes run three jobs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from sandbox.connections import parse_connection
from sandbox.erp.session import connect
from tests.e2e.running_sandbox import RunningSandbox
from tests.first_run import ROOT
from tests.integration.purchase_orders import ERP_STATEMENTS

pytestmark = [pytest.mark.timeout(1500), pytest.mark.full]

SECOND, THIRD = "sync_open_purchase_orders", "count_overdue_orders"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Yield a sandbox of a checkout into which the examples were copied, as the page says."""
    directory = tmp_path_factory.mktemp("second job")
    checkout = directory / "checkout"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if not name.startswith(("tests/", "docs/")):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    for example in ("open_purchase_orders", "count_overdue_orders"):
        shutil.copytree(checkout / "examples" / example, checkout, dirs_exist_ok=True)
    sandbox = RunningSandbox(directory / "state", "--rows", "500", root=checkout)
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def purchases(running: RunningSandbox) -> None:
    """Have the ERP buy, too."""
    variable = "AIRFLOW_CONN_ERP_MSSQL"
    erp = connect(parse_connection(variable, running.airflow_environment[variable], 1433))
    with erp, erp.cursor() as cursor:
        for statement in ERP_STATEMENTS:
            cursor.execute(statement)
        erp.commit()


def run(running: RunningSandbox, dag_id: str, run_id: str) -> dict[str, object]:
    assert running.airflow("dags", "unpause", dag_id).returncode == 0
    running.trigger(run_id, dag_id=dag_id)
    return running.await_end(run_id)


def test_check_finds_the_second_contract_and_its_query(running: RunningSandbox, purchases: None) -> None:
    done = subprocess.run(
        [running.root / "bin" / "check", "--table", "open_purchase_orders"],
        capture_output=True, text=True, env=running.environment, cwd=running.root, check=False,
    )  # fmt: skip
    assert "✓ The tables of open_purchase_orders are those of its contract" in done.stdout
    assert "– 1 of the first 3 rows of open_purchase_orders would be rejected" in done.stdout
    assert "– The DAG sync_open_purchase_orders is paused" in done.stdout


def test_both_tables_are_synced_and_all_jobs_have_logs(running: RunningSandbox, purchases: None) -> None:
    second = run(running, SECOND, "second")
    # Unpaused, it may have run by its schedule just before.
    assert (second["status"], second["total_after"], second["rejected"]) == (2, 2, 1)
    rows = running.query("SELECT * FROM open_purchase_orders ORDER BY purchase_order_number")
    assert [(row["purchase_order_number"], str(row["quantity_open"]), str(row["amount_open"])) for row in rows] == [
        ("PO1", "7.5000", "24.3750"),
        ("PO2", "1.0000", "99.9000"),
    ]
    third = run(running, THIRD, "third")
    assert third["status"] == 2
    assert any("open order lines are overdue" in message for message in running.messages_of("third"))
    jobs = {row["job_name"] for row in running.query("SELECT job_name FROM job_logs WHERE status = 2")}
    assert jobs == {"sync_open_orders", SECOND, THIRD}


def test_pages_list_both_and_judge_each(running: RunningSandbox) -> None:
    credentials = ("admin", running.admin_password)
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", auth=credentials, timeout=60) as pages:
        listed = pages.get("/job_logs/").text
        assert all(job in listed for job in ("sync_open_orders", SECOND, THIRD))
        for job in (SECOND, THIRD):
            page = pages.get("/job_logs/", params={"job": job})
            assert f"/job_logs/verdict?job={job}" in page.text
            health = pages.get("/job_logs/api/health", params={"job": job})
            assert (health.status_code, health.json()["level"]) == (200, "green")


def test_commands_find_a_connection_that_only_airflows_own_store_has(running: RunningSandbox) -> None:
    environment = dict(running.airflow_environment)
    uri = environment.pop("AIRFLOW_CONN_ORDERS_DB")
    added = running.airflow("connections", "add", "orders_db", "--conn-uri", uri)
    assert added.returncode == 0, added.stderr
    done = subprocess.run(
        [sys.executable, "-m", "open_orders.migrations", "current"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is at revision 0" in done.stdout

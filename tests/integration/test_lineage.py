"""What OpenLineage's provider tells of a run, installed beside Airflow for this test alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from open_orders import lineage
from open_orders.job_log_hook import JobLogHook
from tests.integration.erp import Erp, Sync, order

ROOT = Path(__file__).parents[2]
# The provider with what it needs beyond requirements.txt: no second Airflow beside this one.
PACKAGES = (
    "apache-airflow-providers-openlineage==2.20.3",
    "httpcore2==2.16.2",
    "httpx2==2.16.2",
    "openlineage-integration-common==1.54.0",
    "openlineage-python==1.54.0",
    "openlineage-sql==1.54.0",
    "truststore==0.10.5",
)


def airflow(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.full
@pytest.mark.timeout(900)
def test_inputs_and_outputs_of_a_run_are_named(erp: Erp, orders_dsn: str, tmp_path: Path) -> None:
    erp.rows = [order("A")]
    site, events_file = tmp_path / "site", tmp_path / "events"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    subprocess.run([*install, "--no-deps", "--target", str(site), *PACKAGES], check=True)
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT), str(site)]),
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "test",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(events_file), "append": True}
        ),
        "OPEN_ORDERS_SOURCE_SQL": str(erp.query_file),
    }
    airflow("db", "migrate", **environment)
    airflow("dags", "test", "sync_open_orders", **environment)
    events: list[dict[str, Any]] = [json.loads(line) for line in events_file.read_text().splitlines()]
    ended = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    named = {
        job.removeprefix("sync_open_orders."): [
            [(dataset["namespace"], dataset["name"]) for dataset in event[side]] for side in ("inputs", "outputs")
        ]
        for job, event in ended.items()
    }
    database = urlsplit(orders_dsn)
    source = (f"mssql://127.0.0.1:{erp.server.port}", "ERP.dbo.open_lines")
    target = (f"postgres://{database.hostname}:{database.port}", f"{database.path[1:]}.public.open_orders")
    assert named["fetch"] == [[source], []]
    # `dags test` runs all tasks in one process: the last one's inputs are those of all.
    assert named["publish"][1] == [target]


def test_nothing_is_imported_or_done_without_the_provider(erp: Erp, sync: Sync) -> None:
    erp.rows = [order("A")]
    sync.run()
    assert not [name for name in sys.modules if name.startswith(lineage.PROVIDER)]


def test_lineage_that_fails_is_a_warning_and_the_sync_goes_on(
    opened: JobLogHook, orders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "_is_installed", lambda: True)
    # The provider's module can't be imported.
    lineage.report_source(opened, None, "SELECT 1")  # type: ignore[arg-type]
    last = orders.execute("SELECT level, message FROM job_log_details ORDER BY id DESC LIMIT 1").fetchone()
    assert last[0] == "warning"
    assert last[1].startswith("Lineage not reported: ModuleNotFoundError")
